"""The state of the system, for people (``/api/system``) and for Prometheus (``/metrics``)."""

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from showcase_app.backend.api.problems import described
from showcase_app.backend.dependencies import Container
from showcase_app.backend.schemas.system import SystemOut
from showcase_app.backend.services import prometheus

router = APIRouter(tags=["system"])

_AWAY = described({503: "The database does not answer."})


@router.get("/api/system", summary="Look into the machine room", responses=_AWAY)
async def get_system(services: Container) -> SystemOut:
    """Database, workers, queue and subscribers. Counts are capped, so the answer is quick at any size."""
    return await services.system_service.state()


@router.get("/metrics", summary="Numbers for Prometheus", response_class=PlainTextResponse, responses=_AWAY)
async def get_prometheus_metrics(services: Container) -> Response:
    """Executions, queue, workers, subscribers and this process, in Prometheus' text format."""
    numbers = await services.system_service.prometheus()
    return Response(numbers, media_type=prometheus.CONTENT_TYPE)
