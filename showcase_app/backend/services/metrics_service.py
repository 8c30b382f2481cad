"""What the metrics page says: the numbers of a window, each against its target."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import format_time
from ia_modules.tracker.metrics import MetricsReader, WindowMetrics
from showcase_app.backend.schemas.metrics import (
    Bound,
    MetricKey,
    MetricOut,
    MetricsHistoryOut,
    MetricsReportOut,
    Unit,
    Window,
)
from showcase_app.backend.targets import Targets


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
    comparison: Bound = "at_most"
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

    async def report(self, window: Window, pipeline_id: str | None = None) -> MetricsReportOut:
        """The executions that started in a window, against the targets.

        Raises:
            ReadTooLong: there are too many to be counted in time.
        """
        measured = await self._reader.measure(window.span, pipeline_id)
        metrics = [self._metric(definition, measured, pipeline_id) for definition in _DEFINITIONS]
        return MetricsReportOut.of(window, pipeline_id, measured, metrics)

    async def history(self, window: Window, pipeline_id: str | None = None) -> MetricsHistoryOut:
        """The same over time. Raises ReadTooLong."""
        return MetricsHistoryOut.of(window, await self._reader.history(window.span, pipeline_id))

    def _metric(self, definition: _Definition, measured: WindowMetrics, pipeline_id: str | None) -> MetricOut:
        numerator, denominator = definition.parts(measured)
        value = numerator / denominator if denominator else None
        target: float = getattr(self._targets, definition.key)
        query = {
            "status": definition.status,
            "pipeline_id": pipeline_id,
            "started_after": None if measured.since is None else format_time(measured.since),
        }
        return MetricOut(
            key=definition.key,
            name=definition.name,
            description=definition.description,
            value=value,
            target=target,
            comparison=definition.comparison,
            met=None if value is None else value >= target if definition.comparison == "at_least" else value <= target,
            unit=definition.unit,
            numerator=numerator,
            denominator=denominator,
            executions_query=urlencode({name: text for name, text in query.items() if text is not None}),
        )
