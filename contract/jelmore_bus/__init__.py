"""How every part of Jelmore reaches NATS: address, TLS and credentials, and a client that says what is wrong."""

from jelmore_bus.access import Access, AccessError, Tls
from jelmore_bus.client import BusClient

__all__ = ["Access", "AccessError", "BusClient", "Tls"]
