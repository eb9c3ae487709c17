"""What every part that uses the bus must agree on: JetStream's headers and error codes, and how the stream is made."""

from jelmore_contract.subjects import SessionKey

# Headers of JetStream; names as nats-server 2.12 and later takes them.
EXPECTED_LAST_SUBJECT_SEQUENCE = "Nats-Expected-Last-Subject-Sequence"
MSG_ID = "Nats-Msg-Id"
BATCH_ID = "Nats-Batch-Id"
BATCH_SEQUENCE = "Nats-Batch-Sequence"
BATCH_COMMIT = "Nats-Batch-Commit"

#: Atomic publishing came with this release; an older server silently stores a batch message by message.
LEAST_NATS_VERSION = (2, 12)
#: A stream takes at most this many messages in one atomic batch (nats-server 2.12 to 2.15).
MAX_BATCH_MESSAGES = 1000

WRONG_LAST_SEQUENCE = 10071
DUPLICATE_IN_BATCH = 10201


def inbox_prefix(key: SessionKey) -> str:
    """An agent's inbox: its own, since a shared one would show others' commands (one token, no dots)."""
    return f"_INBOX_{key.namespace}_{key.session_id}"


def consumer_name(key: SessionKey) -> str:
    """The durable consumer from which a session's agent gets its commands. With the namespace, since a resource may
    choose its session's id (a restore), and must not get the commands of another namespace's session with it.
    """
    return f"{key.namespace}_{key.session_id}"


def direct_get_subject(stream: str, subject: str) -> str:
    """Where the last message of a subject is asked for."""
    return f"$JS.API.DIRECT.GET.{stream}.{subject}"


def next_subject(stream: str, consumer: str) -> str:
    """Where a pull consumer's next messages are asked for."""
    return f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
