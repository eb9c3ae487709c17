"""For Prometheus."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from jelmore_api.metrics.registry import Metrics
from jelmore_api.services import Services, services

#: Not in the API's description: it is for machines that know the format.
router = APIRouter(include_in_schema=False)


@router.get("/metrics")
async def get_metrics(request: Request, at: Annotated[Services, Depends(services)]) -> Response:
    """In Prometheus' text format."""
    metrics: Metrics = request.app.state.metrics
    return Response(metrics.text(at, await at.readiness.report()), media_type=CONTENT_TYPE_LATEST)
