"""A Messages API request, as far as the demo model reads it. Fields that it does not know are passed over."""

import msgspec


class Block(msgspec.Struct):
    """One content block. `content` is a tool result's: text, or blocks of its own."""

    type: str
    text: str = ""
    content: "str | list[Block]" = ""
    is_error: bool | None = None

    def plain(self) -> str:
        """The text of a text block or of a tool result; empty for all others."""
        if isinstance(self.content, str):
            return self.text or self.content
        return "\n".join(block.plain() for block in self.content)


class Message(msgspec.Struct):
    """One message. The CLI uses the role `system` too, for what it adds in the middle of a conversation."""

    role: str
    content: str | list[Block]

    def blocks(self) -> list[Block]:
        """The content as blocks, whichever way it was written."""
        if isinstance(self.content, str):
            return [Block(type="text", text=self.content)]
        return self.content


class Tool(msgspec.Struct):
    """A tool on offer; its schema is not looked at."""

    name: str = ""


class OutputFormat(msgspec.Struct):
    """Structured output asked for, by a JSON schema."""

    schema: dict[str, object] = {}


class OutputConfig(msgspec.Struct):
    """`output_config` of a request."""

    format: OutputFormat | None = None


class Request(msgspec.Struct):
    """The body of `POST /v1/messages` and `/v1/messages/count_tokens`."""

    model: str
    messages: list[Message]
    tools: list[Tool] = []
    system: str | list[Block] = ""
    stream: bool = False
    output_config: OutputConfig | None = None


def decode(body: bytes) -> Request:
    """Read a request body. Raises `msgspec.DecodeError`; as `ValidationError` it names the wrong field."""
    return _decoder.decode(body)


_decoder = msgspec.json.Decoder(Request)
