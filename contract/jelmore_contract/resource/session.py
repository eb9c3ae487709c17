"""The resource whole: metadata, spec and status."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from jelmore_contract.resource.fields import NAME_PATTERN, ContractModel, Name, Rule
from jelmore_contract.resource.spec import SessionSpec
from jelmore_contract.resource.status import SessionStatus

API_VERSION: Literal["jelmore.dev/v1alpha1"] = "jelmore.dev/v1alpha1"
KIND: Literal["ClaudeSession"] = "ClaudeSession"
DEFAULT_NAMESPACE = "default"
#: Annotation: a failed session is tried again when this (RFC 3339) is later than its failure.
RETRY_AT = "jelmore.dev/retry-at"


class Metadata(ContractModel):
    """The part of Kubernetes' object metadata that Jelmore reads; the rest is kept as it is."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow")

    name: Name
    namespace: Name = DEFAULT_NAMESPACE
    uid: UUID
    generation: int = 1
    creation_timestamp: datetime
    deletion_timestamp: datetime | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)

    @property
    def retry_at(self) -> datetime | None:
        """When somebody asked for another try of the session; None for what is no time."""
        try:
            moment = datetime.fromisoformat(self.annotations.get(RETRY_AT, ""))
        except ValueError:
            return None
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


class ClaudeSession(ContractModel):
    """The resource whole. `session_id` is what names the session everywhere outside Kubernetes."""

    rules = (
        Rule(
            f"self.metadata.name.matches('{NAME_PATTERN}')",
            "metadata.name must be at most 63 of a-z, 0-9 and -, with a letter or digit at both ends",
        ),
    )

    api_version: Literal["jelmore.dev/v1alpha1"] = API_VERSION
    kind: Literal["ClaudeSession"] = KIND
    metadata: Metadata
    spec: SessionSpec = Field(default_factory=SessionSpec, description="What is asked for.")
    status: SessionStatus = Field(
        default_factory=SessionStatus, description="What was observed. Written by Jelmore alone."
    )

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """What a cluster has stored. Its definition may be a newer release's, which comes before operator and API are
        replaced: fields that are unknown here are left aside. Raises pydantic.ValidationError.
        """
        return cls.model_validate(document, extra="ignore")

    @property
    def session_id(self) -> str:
        return str(self.spec.session_id or self.metadata.uid)

    def to_document(self) -> dict[str, Any]:
        """The resource as JSON values, camelCase."""
        return self.model_dump(mode="json", by_alias=True)

    @model_validator(mode="after")
    def _ids(self) -> Self:
        if self.spec.session_id is not None and self.spec.session_id.int == 0:
            raise ValueError("sessionId must not be the nil UUID")
        return self
