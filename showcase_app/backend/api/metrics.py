"""How it went: the report of a window and its history, and the numbers that Prometheus collects."""

from typing import Annotated

from fastapi import APIRouter, Query

from showcase_app.backend.api.problems import described
from showcase_app.backend.dependencies import Container, Door
from showcase_app.backend.schemas.base import ID_PATTERN
from showcase_app.backend.schemas.metrics import MetricsHistoryOut, MetricsReportOut, Window
from showcase_app.backend.schemas.usage import WindowUsageOut

router = APIRouter(prefix="/api/metrics", tags=["metrics"])

_REFUSED = described(
    {
        422: "A parameter is not understood.",
        503: "There are too many executions to be counted in time, or no database.",
    }
)

WindowParameter = Annotated[Window, Query(description="The executions that started so long ago, or later.")]
PipelineParameter = Annotated[str | None, Query(pattern=ID_PATTERN, description="Only those of this pipeline.")]


@router.get("/report", summary="Measure a window of executions", responses=_REFUSED)
async def get_metrics_report(
    services: Container, window: WindowParameter = Window.DAY, pipeline_id: PipelineParameter = None
) -> MetricsReportOut:
    """Success, compensation, plan churn and human intervention against their targets; times, steps, throughput."""
    return await services.metrics_service.report(window, pipeline_id)


@router.get("/history", summary="Measure a window over time", responses=_REFUSED)
async def get_metrics_history(
    services: Container, window: WindowParameter = Window.DAY, pipeline_id: PipelineParameter = None
) -> MetricsHistoryOut:
    """The window in equal parts, aligned to the clock, so that the first one may begin a little before it."""
    return await services.metrics_service.history(window, pipeline_id)


@router.get("/usage", summary="Sum what calls of models used", responses=_REFUSED)
async def get_window_usage(
    client: Door, window: WindowParameter = Window.DAY, pipeline_id: PipelineParameter = None
) -> WindowUsageOut:
    """Tokens and cost of the attempts that began in the window: as a whole, by model, and over time."""
    return WindowUsageOut.of(window, pipeline_id, await client.usage_of_window(window.span, pipeline_id))
