"""The numbers for Prometheus. Counts are capped, except those of the last hour, so collecting is cheap at any size."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from ia_modules.database.manager import DatabaseManager
from ia_modules.live.feed import Feed
from ia_modules.models import ExecutionStatus
from ia_modules.tracker.metrics import MetricsReader
from ia_modules.tracker.system import Queue, SystemReader, WorkerState
from ia_modules.version import __version__

CONTENT_TYPE = CONTENT_TYPE_LATEST

_HOUR = timedelta(hours=1)
_STATES = ("alive", "silent", "stopped")


async def collect(database: DatabaseManager, feed: Feed, wrong_keys: int) -> bytes:
    """All numbers in Prometheus' text format.

    Args:
        wrong_keys: how many this server has refused since it started.

    Raises:
        DatabaseError: the database does not answer, or not in time.
    """
    system = SystemReader(database)
    numbers = _Numbers(
        queue=await system.measure_queue(),
        last_hour=await MetricsReader(database).count(_HOUR),
        workers=await system.list_workers(),
        feed=feed,
        wrong_keys=wrong_keys,
    )
    registry = CollectorRegistry()
    registry.register(numbers)
    ProcessCollector(registry=registry)
    return generate_latest(registry)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Numbers(Collector):
    """The numbers of one moment, for one answer; ``eq=False``: a registry tells collectors apart by identity."""

    queue: Queue
    last_hour: Mapping[ExecutionStatus, int]
    workers: list[WorkerState]
    feed: Feed
    wrong_keys: int

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily | InfoMetricFamily]:
        yield InfoMetricFamily("ia_modules", "The program.", {"version": __version__})
        active = [status.value for status in ExecutionStatus if not status.is_terminal]
        standing = {status: getattr(self.queue, status) for status in active}
        yield _by(
            "status", "ia_executions_active", "Executions that have not ended, counted up to 10000.", standing.items()
        )
        yield _by(
            "status",
            "ia_executions_last_hour",
            "Executions that started within the last hour, by how they stand now.",
            self.last_hour.items(),
        )
        waited = self.queue.oldest_pending_seconds
        yield GaugeMetricFamily("ia_queue_oldest_pending_seconds", "How long the oldest pending one waits.", waited)
        states = [worker.state for worker in self.workers]
        yield _by(
            "state", "ia_workers", "Of the 100 newest workers.", ((state, states.count(state)) for state in _STATES)
        )
        sockets = {
            "execution": self.feed.execution_subscribers,
            "list": self.feed.list_subscribers,
        }
        yield _by("feed", "ia_subscribers", "Sockets of this server, by what they follow.", sockets.items())
        yield CounterMetricFamily(
            "ia_wrong_keys", "Keys that were nobody's, since this server started.", self.wrong_keys
        )


def _by(label: str, name: str, documentation: str, values: Iterable[tuple[str, int]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, documentation, labels=[label])
    for value, number in values:
        family.add_metric([value], number)
    return family
