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

router = APIRouter(tags=["events"])


@router.get("/api/v1/docs", include_in_schema=False)
async def swagger() -> FileResponse:
    return FileResponse(_WEB / "swagger.html", headers=_HEADERS)


@router.get("/api/v1/redoc", include_in_schema=False)
async def redoc() -> FileResponse:
    return FileResponse(_WEB / "redoc.html", headers=_HEADERS)


@router.get(
    "/api/v1/asyncapi.json",
    summary="Read the description of the log",
    response_class=Response,
    responses={
        200: {
            "description": "An AsyncAPI 3 document.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/JsonObject"}}},
        }
    },
)
async def get_asyncapi() -> Response:
    """Every event and every command on the bus, by subject."""
    return Response(_asyncapi(), media_type="application/json")


@functools.cache
def _asyncapi() -> str:
    """Made when first asked for."""
    return json.dumps(document())


def add_docs(app: FastAPI) -> None:
    app.include_router(router)
    app.mount("/api/v1/docs/assets", StaticFiles(directory=_WEB))
