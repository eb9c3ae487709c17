"""nats-py's client, made to live with any subject.

A subject is any bytes without blanks, and a session may publish below its own: nats-py decodes it as UTF-8, and what is
none ends its reading of the connection for good, without a word, on every connection that is sent such a message.
"""

from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg


class TolerantClient(Client):
    """What is no UTF-8 in a subject arrives as U+FFFD: it is then no subject of the log, and is treated as such."""

    def _build_message(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: dict[str, Any] | None
    ) -> Msg:
        subject, reply = (part.decode(errors="replace").encode() for part in (subject, reply))
        message: Msg = super()._build_message(sid, subject, reply, data, headers)
        return message
