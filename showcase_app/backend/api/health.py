"""Whether the server lives (``/health``) and whether it can work (``/health/ready``)."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from ia_modules import __version__
from showcase_app.backend.api.problems import Problem, problem_response
from showcase_app.backend.dependencies import Services
from showcase_app.backend.schemas import Time
from showcase_app.backend.services.health import check_health

router = APIRouter(tags=["health"])


class ServicesOut(BaseModel):
    """Whether each service works now."""

    database: bool
    tracker: bool


class HealthOut(BaseModel):
    status: Literal["healthy", "degraded"] = Field(description="degraded: it lives, but a service does not work.")
    timestamp: Time
    version: str
    services: ServicesOut


class ReadyOut(BaseModel):
    status: Literal["ready"] = "ready"


@router.get("/health", summary="Does the server live")
async def health(services: Services) -> HealthOut:
    """Always 200 from a server that lives: starting it again would not mend its database."""
    found = await check_health(services)
    working = ServicesOut(database=found.database is None, tracker=found.tracker is None)
    return HealthOut(
        status="healthy" if working.database and working.tracker else "degraded",
        timestamp=datetime.now(UTC),
        version=__version__,
        services=working,
    )


@router.get(
    "/health/ready",
    summary="Can the server work",
    response_model=ReadyOut,
    responses={503: {"model": Problem, "description": "It cannot: what is wrong."}},
)
async def ready(request: Request, services: Services) -> ReadyOut | Response:
    """The database answers, and its schema is the one that this program needs."""
    found = await check_health(services)
    wrong = found.database or found.tracker
    if wrong is None:
        return ReadyOut()
    return problem_response(HTTPStatus.SERVICE_UNAVAILABLE, wrong, instance=request.url.path)
