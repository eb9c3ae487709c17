"""The documentation's pages. Everything that they need is in `web/`: they load nothing from elsewhere, and may not."""

import functools
import json
from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from jelmore_contract.asyncapi import document

_WEB = Path(__file__).parent / "web"
# Styles are set by the pages' scripts; ReDoc searches in a worker that it makes from a blob.
_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}

router = APIRouter(include_in_schema=False)


@router.get("/api/v1/docs")
async def swagger() -> FileResponse:
    return FileResponse(_WEB / "swagger.html", headers=_HEADERS)


@router.get("/api/v1/redoc")
async def redoc() -> FileResponse:
    return FileResponse(_WEB / "redoc.html", headers=_HEADERS)


@router.get("/api/v1/asyncapi.json")
async def asyncapi() -> Response:
    return Response(_asyncapi(), media_type="application/json")


@functools.cache
def _asyncapi() -> str:
    """Made when first asked for."""
    return json.dumps(document())


def add_docs(app: FastAPI) -> None:
    app.include_router(router)
    app.mount("/api/v1/docs/assets", StaticFiles(directory=_WEB))
