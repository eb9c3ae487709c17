"""Until a NATS server has dealt with all that a client has sent."""

from nats.aio.client import Client


async def flush(client: Client) -> None:
    """nats-py's own asks ahead of what is still to be written, and so does not wait for that: the second one does."""
    await client.flush()
    await client.flush()
