"""Whether the server lives (``/health``) and whether it can work (``/health/ready``)."""

from datetime import UTC, datetime
from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from ia_modules.version import __version__
from showcase_app.backend.api.problems import described, problem_response
from showcase_app.backend.dependencies import Container
from showcase_app.backend.schemas.system import HealthOut, ReadyOut
from showcase_app.backend.services.health import check_health

router = APIRouter(tags=["health"])


@router.get("/health", summary="Does the server live")
async def health(services: Container) -> HealthOut:
    """Always 200 from a server that lives: starting it again would not mend its database."""
    working, problem = await check_health(services)
    status = "healthy" if problem is None else "degraded"
    return HealthOut(status=status, timestamp=datetime.now(UTC), version=__version__, services=working)


@router.get(
    "/health/ready",
    summary="Can the server work",
    response_model=ReadyOut,
    responses=described({503: "It cannot: what is wrong."}),
)
async def ready(request: Request, services: Container) -> ReadyOut | Response:
    """The database answers, its schema is the one that this program needs, and the worker in this server beats."""
    _, problem = await check_health(services)
    if problem is None:
        return ReadyOut()
    return problem_response(HTTPStatus.SERVICE_UNAVAILABLE, problem, instance=request.url.path)
