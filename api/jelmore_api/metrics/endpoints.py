"""For Prometheus."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from jelmore_api.metrics.registry import Metrics
from jelmore_api.services import Services, services

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    summary="How busy is the service",
    response_class=Response,
    responses={
        200: {"description": "Prometheus' text format.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    },
)
async def get_metrics(request: Request, at: Annotated[Services, Depends(services)]) -> Response:
    """Figures by route and status; no session's id, and nothing of what was said."""
    metrics: Metrics = request.app.state.metrics
    return Response(metrics.text(at, await at.readiness.report()), media_type=CONTENT_TYPE_LATEST)
