"""What the Kubernetes API answers when it does not do what was asked."""

from collections.abc import Mapping
from typing import Any

NAME = "The Kubernetes API"


class Refused(Exception):
    """An answer that is no success. `status`: HTTP's. `document`: a Kubernetes `Status`, or {}.

    retry_after: seconds that the server asks to wait for, if it does.
    """

    def __init__(self, status: int, document: Mapping[str, Any], retry_after: float | None = None) -> None:
        super().__init__(f"{status} {document.get('reason', '')}: {document.get('message', '')}")
        self.status = status
        self.document = document
        self.retry_after = retry_after

    @property
    def reason(self) -> str:
        """Kubernetes' word for it, such as AlreadyExists."""
        return str(self.document.get("reason") or "")

    @property
    def message(self) -> str:
        return str(self.document.get("message") or f"HTTP status {self.status}")
