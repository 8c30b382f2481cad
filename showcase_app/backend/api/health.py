"""Whether the server lives (``/health``) and whether it can work (``/health/ready``)."""

from datetime import UTC, datetime
from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from ia_modules.version import __version__
from showcase_app.backend.api.problems import problem_response, told
from showcase_app.backend.dependencies import Services
from showcase_app.backend.schemas.system import HealthOut, ReadyOut, ServicesOut
from showcase_app.backend.services.health import check_health

router = APIRouter(tags=["health"])


@router.get("/health", summary="Does the server live")
async def health(services: Services) -> HealthOut:
    """Always 200 from a server that lives: starting it again would not mend its database."""
    found = await check_health(services)
    return HealthOut(
        status="healthy" if found.problem is None else "degraded",
        timestamp=datetime.now(UTC),
        version=__version__,
        services=ServicesOut(
            database=found.database is None,
            tracker=found.tracker is None,
            pipelines=found.pipelines is None,
            metrics=found.metrics is None,
            worker=found.worker is None,
        ),
    )


@router.get(
    "/health/ready",
    summary="Can the server work",
    response_model=ReadyOut,
    responses=told({503: "It cannot: what is wrong."}),
)
async def ready(request: Request, services: Services) -> ReadyOut | Response:
    """The database answers, its schema is the one that this program needs, and the worker in this server beats."""
    found = await check_health(services)
    if found.problem is None:
        return ReadyOut()
    return problem_response(HTTPStatus.SERVICE_UNAVAILABLE, found.problem, instance=request.url.path)
