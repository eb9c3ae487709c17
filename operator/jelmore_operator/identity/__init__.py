"""The bus' identities. `python -m jelmore_operator.identity` sets a NATS of one's own up for them."""

from jelmore_operator.identity.keys import Identity

__all__ = ["Identity"]
