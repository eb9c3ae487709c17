"""Errors of the proxy's own, as the Messages API tells its own: the CLI knows what to do with them."""

import json

from aiohttp import web

_TYPES = {401: "authentication_error", 403: "permission_error", 502: "api_error", 504: "timeout_error"}


def error(status: int, message: str) -> web.Response:
    body = {"type": "error", "error": {"type": _TYPES[status], "message": message}}
    return web.Response(status=status, text=json.dumps(body), content_type="application/json")
