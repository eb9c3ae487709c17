"""The AsyncAPI 3.0 document of Jelmore's bus and WebSocket. Pure: a dictionary of JSON values."""

from jelmore_contract.asyncapi.document import document
from jelmore_contract.asyncapi.examples import COMMAND_EXAMPLES, EVENT_EXAMPLES

__all__ = ["COMMAND_EXAMPLES", "EVENT_EXAMPLES", "document"]
