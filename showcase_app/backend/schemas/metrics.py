"""What the API says of success, retries, times and throughput: the report of a window, and its history."""

from datetime import timedelta
from enum import StrEnum
from typing import Literal, Self

from pydantic import Field

from ia_modules.models import ExecutionStatus
from ia_modules.tracker.metrics import History, PipelineMetrics, WindowMetrics
from showcase_app.backend.schemas.base import Out, Time

STEPS_SHOWN, PIPELINES_SHOWN = 50, 100

MetricKey = Literal["success_rate", "compensation_rate", "plan_churn", "human_intervention_rate"]
Bound = Literal["at_least", "at_most"]
Unit = Literal["fraction", "per_execution"]


class Window(StrEnum):
    """How far back from now; ``all`` is everything."""

    HOUR = "1h"
    SIX_HOURS = "6h"
    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"
    ALL = "all"

    @property
    def span(self) -> timedelta | None:
        """None: everything."""
        return _SPANS[self]


_SPANS: dict[Window, timedelta | None] = {
    Window.HOUR: timedelta(hours=1),
    Window.SIX_HOURS: timedelta(hours=6),
    Window.DAY: timedelta(days=1),
    Window.WEEK: timedelta(days=7),
    Window.MONTH: timedelta(days=30),
    Window.ALL: None,
}


class MetricOut(Out):
    """One number against its target."""

    key: MetricKey
    name: str = Field(examples=["Success rate"])
    description: str = Field(
        description="Its formula, in words.", examples=["Completed among the executions that completed or failed."]
    )
    value: float | None = Field(description="`numerator` / `denominator`; null when there is nothing to divide by.")
    target: float = Field(examples=[0.95])
    comparison: Bound = Field(description="Which side of the target is good.")
    met: bool | None = Field(description="Whether the target is met; null when there is no value.")
    unit: Unit
    numerator: int
    denominator: int
    executions_query: str = Field(
        description="The query string of `/api/executions`, and of the page, for what is behind it: those that failed, "
        "or all of the window, as no filter finds only those that retried, fell back or asked a person. The list has "
        "also what has not started.",
        examples=["status=failed&started_after=2026-11-24T03%3A00%3A00.000000Z"],
    )


class CompletionOut(Out):
    """How long executions took from start to end, of the newest of the window that completed."""

    count: int = Field(description="How many were looked at.")
    p50_seconds: float | None
    p95_seconds: float | None
    p99_seconds: float | None
    mean_seconds: float | None


class StepMetricsOut(Out):
    """A step of a pipeline over the newest executions of the window."""

    step_id: str
    pipeline_id: str
    pipeline_name: str
    runs: int = Field(description="Step runs that ended, as completed or failed; the attempts of one count once.")
    failed: int
    retries: int
    p50_seconds: float | None = Field(description="Of the attempt that ended the run.")
    p95_seconds: float | None


class PipelineMetricsOut(Out):
    pipeline_id: str
    pipeline_name: str
    executions: int = Field(description="That started in the window.")
    success_rate: float | None
    p50_seconds: float | None = Field(description="Of the newest of the window that completed.")
    p95_seconds: float | None

    @classmethod
    def of(cls, pipeline: PipelineMetrics) -> Self:
        return cls(
            pipeline_id=pipeline.pipeline_id,
            pipeline_name=pipeline.pipeline_name,
            executions=pipeline.executions,
            success_rate=pipeline.success_rate,
            p50_seconds=pipeline.times.p50_seconds,
            p95_seconds=pipeline.times.p95_seconds,
        )


class MetricsReportOut(Out):
    """The executions that started in a window. What is still running counts in `executions` but not in `ended`."""

    window: Window
    since: Time | None = Field(description="Where the window begins; null: everything.")
    until: Time = Field(description="Where it ends: the database's time when it was asked.")
    pipeline_id: str | None
    executions: int
    ended: int = Field(description="Of these, completed, failed or cancelled.")
    metrics: list[MetricOut] = Field(
        description="Success rate (SR), compensation rate (CR), plan churn (PC), human intervention rate (HIR)."
    )
    completion: CompletionOut = Field(description="Workflow completion time (WCT).")
    throughput_per_hour: float | None = Field(
        description="`ended` per hour of the window (of everything: since its first start); null when nothing started."
    )
    retries: int = Field(description="Attempts made again after one that failed, in executions that ended.")
    by_status: dict[ExecutionStatus, int]
    steps: list[StepMetricsOut] = Field(description="The slowest 50 by `p95_seconds`, slowest first.")
    pipelines: list[PipelineMetricsOut] = Field(description="Those with most executions first, 100 at most.")
    sampled: bool = Field(
        description="Whether times, steps and the compensation rate are of the newest `sample_size` executions of the "
        "window only. All other numbers are always of the whole window."
    )
    sample_size: int = Field(description="How many executions times and steps were read of.")

    @classmethod
    def of(cls, window: Window, pipeline_id: str | None, measured: WindowMetrics, metrics: list[MetricOut]) -> Self:
        slowest = sorted(measured.steps, key=lambda step: step.p95_seconds or 0.0, reverse=True)[:STEPS_SHOWN]
        return cls(
            window=window,
            since=measured.since,
            until=measured.until,
            pipeline_id=pipeline_id,
            executions=measured.executions,
            ended=measured.ended,
            metrics=metrics,
            completion=CompletionOut.from_record(measured.times),
            throughput_per_hour=measured.throughput_per_hour,
            retries=measured.retries,
            by_status=dict(measured.by_status),
            steps=[StepMetricsOut.from_record(step) for step in slowest],
            pipelines=[PipelineMetricsOut.of(pipeline) for pipeline in measured.pipelines[:PIPELINES_SHOWN]],
            sampled=measured.sampled,
            sample_size=measured.sample,
        )


class BucketOut(Out):
    """The executions that started from `start` on and before `end`, wherever they stand now."""

    start: Time
    end: Time
    started: int
    completed: int
    failed: int
    cancelled: int
    success_rate: float | None
    p50_seconds: float | None = Field(description="Of the newest 1,000 that completed.")
    p95_seconds: float | None
    retries: int = Field(description="In those that ended.")
    human_interventions: int = Field(description="Of those that ended, how many had asked a person.")


class MetricsHistoryOut(Out):
    """A window cut into equal parts, oldest first, without gaps. The last one is not over yet."""

    window: Window
    bucket_seconds: int
    buckets: list[BucketOut]

    @classmethod
    def of(cls, window: Window, history: History) -> Self:
        buckets = [BucketOut.from_record(bucket) for bucket in history.buckets]
        return cls(window=window, bucket_seconds=history.bucket_seconds, buckets=buckets)
