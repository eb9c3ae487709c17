"""Dead letters: what stands on the log's subjects and is no message of the log, told on a subject of its own."""

from typing import Annotated

import msgspec
from msgspec import Meta

#: Bytes of a message that its dead letter repeats; PostgreSQL keeps it whole.
MAX_TOLD_BYTES = 16 * 1024
ALL_DEAD_LETTERS = "jelmore.dead.>"


class DeadLetter(msgspec.Struct):
    """A message that is none of the log's: it was counted, set aside, and changes nothing."""

    subject: Annotated[str, Meta(description="Where it was published.")]
    seq: Annotated[int, Meta(ge=1, description="Where it stands in the stream.")]
    reason: Annotated[str, Meta(description="Why it is none.")]
    size: Annotated[int, Meta(ge=0, description="Bytes.")]
    data: Annotated[str, Meta(description="Its first 16 KiB.", extra_json_schema={"contentEncoding": "base64"})]


def dead_subject(category: str) -> str:
    """`category`: the second part of the message's own subject, as event or command."""
    return f"jelmore.dead.{category}"
