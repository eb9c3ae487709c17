"""uvicorn as the product has it (jelmore_api/serve.py), for the services that it is measured beside."""

from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol


async def serve_bare(app: Any, port: int) -> None:
    """app: an ASGI application. Until a signal."""
    config = uvicorn.Config(
        app,
        port=port,
        http=HttpToolsProtocol,
        ws=WebSocketsSansIOProtocol,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
    )
    await uvicorn.Server(config).serve()
