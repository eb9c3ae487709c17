"""An Idempotency-Key, written down with the session that it made, so that any replica knows it again.

Hashes alone: the key is the client's own, and a resource is read by more people than who made it.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import NamedTuple, Self

from jelmore_contract.resource import Metadata, SessionSpec

ANNOTATION = "jelmore.dev/idempotency-key"
_NO_LABELS: Mapping[str, str] = {}
_LENGTH = 32  # hexadecimal digits: 128 bits


class Mark(NamedTuple):
    """key: of namespace and key. request: of all that was asked for. Both in hexadecimal."""

    key: str
    request: str

    @classmethod
    def of(
        cls, namespace: str, key: str, name: str | None, spec: SessionSpec, labels: Mapping[str, str] = _NO_LABELS
    ) -> Self:
        """Without the defaults: what they are may change between a request and its repetition."""
        fields = spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        asked = {"name": name, "spec": fields} | ({"labels": dict(labels)} if labels else {})
        return cls(_hash(f"{namespace}/{key}"), _hash(json.dumps(asked, sort_keys=True)))

    @property
    def annotation(self) -> str:
        return f"{self.key}.{self.request}"

    def same_key(self, metadata: Metadata) -> bool:
        """Whether this key made the resource, by whatever request."""
        return metadata.annotations.get(ANNOTATION, "").partition(".")[0] == self.key

    def same_request(self, metadata: Metadata) -> bool:
        """Whether this request made the resource, however it was changed since."""
        return metadata.annotations.get(ANNOTATION) == self.annotation


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:_LENGTH]
