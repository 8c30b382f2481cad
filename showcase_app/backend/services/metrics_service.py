"""What the metrics page says: the numbers of a window, each against its target."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Literal
from urllib.parse import urlencode

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import format_time
from ia_modules.tracker.metrics import History, MetricsReader, WindowMetrics
from showcase_app.backend.targets import Targets

MetricKey = Literal["success_rate", "compensation_rate", "plan_churn", "human_intervention_rate"]
Comparison = Literal["at_least", "at_most"]
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One number, ``numerator / denominator``, against its target; ``value`` and ``met`` are None without any.

    Attributes:
        executions_query: the query string of the list of executions that are behind it, or of all among which they are.
    """

    key: MetricKey
    name: str
    description: str
    numerator: int
    denominator: int
    target: float
    comparison: Comparison
    unit: Unit
    executions_query: str

    @property
    def value(self) -> float | None:
        return self.numerator / self.denominator if self.denominator else None

    @property
    def met(self) -> bool | None:
        if self.value is None:
            return None
        return self.value >= self.target if self.comparison == "at_least" else self.value <= self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    window: Window
    pipeline_id: str | None
    measured: WindowMetrics
    metrics: list[Metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Definition:
    """How a metric is made of what was measured.

    Attributes:
        parts: numerator and denominator.
        status: the executions of which status are behind it; None: all.
    """

    key: MetricKey
    name: str
    description: str
    parts: Callable[[WindowMetrics], tuple[int, int]]
    comparison: Comparison = "at_most"
    unit: Unit = "fraction"
    status: str | None = None


def _success(measured: WindowMetrics) -> tuple[int, int]:
    completed, failed = measured.completed, measured.failed
    return completed, completed + failed


def _compensation(measured: WindowMetrics) -> tuple[int, int]:
    return sum(step.made_good for step in measured.steps), sum(step.runs for step in measured.steps)


_DEFINITIONS = (
    _Definition(
        key="success_rate",
        name="Success rate",
        description="Completed / (completed + failed), of executions. What was cancelled counts in neither.",
        parts=_success,
        comparison="at_least",
        status="failed",
    ),
    _Definition(
        key="compensation_rate",
        name="Compensation rate",
        description="Step runs that completed by their fallback, or failed and led on / step runs that completed or "
        "failed. All attempts of one iteration are one run.",
        parts=_compensation,
    ),
    _Definition(
        key="plan_churn",
        name="Plan churn",
        description="Retries / executions that ended. A retry is an attempt made again after one that failed.",
        parts=lambda measured: (measured.retries, measured.ended),
        unit="per_execution",
    ),
    _Definition(
        key="human_intervention_rate",
        name="Human intervention rate",
        description="Executions that ended and had asked a person / executions that ended.",
        parts=lambda measured: (measured.interventions, measured.ended),
    ),
)


class MetricsService:
    """Reads the numbers anew for every question; keeps none."""

    def __init__(self, database: DatabaseManager, targets: Targets) -> None:
        self._reader, self._targets = MetricsReader(database), targets

    async def report(self, window: Window, pipeline_id: str | None = None) -> Report:
        """The executions that started in a window, against the targets.

        Raises:
            ReadTooLong: there are too many to be counted in time.
        """
        measured = await self._reader.measure(window.span, pipeline_id)
        metrics = [self._metric(definition, measured, pipeline_id) for definition in _DEFINITIONS]
        return Report(window=window, pipeline_id=pipeline_id, measured=measured, metrics=metrics)

    async def history(self, window: Window, pipeline_id: str | None = None) -> History:
        """The same over time. Raises ReadTooLong."""
        return await self._reader.history(window.span, pipeline_id)

    def _metric(self, definition: _Definition, measured: WindowMetrics, pipeline_id: str | None) -> Metric:
        numerator, denominator = definition.parts(measured)
        asked = {
            "status": definition.status,
            "pipeline_id": pipeline_id,
            "started_after": None if measured.since is None else format_time(measured.since),
        }
        return Metric(
            key=definition.key,
            name=definition.name,
            description=definition.description,
            numerator=numerator,
            denominator=denominator,
            target=getattr(self._targets, definition.key),
            comparison=definition.comparison,
            unit=definition.unit,
            executions_query=urlencode({name: value for name, value in asked.items() if value is not None}),
        )
