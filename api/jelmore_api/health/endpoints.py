"""For whoever runs the service."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from jelmore_api.health.readiness import Report
from jelmore_api.services import Services, services
from jelmore_contract.version import VERSION

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """That there is an answer says it all."""

    status: Literal["ok"] = Field("ok", description="Always.")
    version: str = Field(VERSION, description="Of Jelmore.")


@router.get("/healthz", summary="Does the service live", response_description="It does.")
async def get_health() -> Alive:
    """Answers as long as the process does, whatever is away."""
    return Alive()


@router.get(
    "/readyz",
    summary="Is everything there",
    response_description="Everything is.",
    responses={503: {"model": Report, "description": "Something is away: the rest is served."}},
)
async def get_readiness(response: Response, at: Annotated[Services, Depends(services)]) -> Report:
    """By dependency. Also says which model answers: `demo` is a scripted one."""
    report = await at.readiness.report()
    response.status_code = 200 if report.status == "ready" else 503
    return report
