"""Step runs and their rows: what a row keeps of a step run, and the step runs of an execution's rows.

A start keeps whose tokens it took (``input_refs``). An end keeps what follows (``routes``): the paths with the reasons,
that it is tried again, or that it failed for good. So nothing is decided twice, and a resumed execution continues
exactly from its rows.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from itertools import takewhile
from typing import Any, NamedTuple, cast

from ia_modules.errors import Problem, StepConflict, StepLost
from ia_modules.models import AttemptRecord, Json, JsonText, StepExecutionId, StepExecutionRecord, StepStatus
from ia_modules.paths import GRAPH, path_of
from ia_modules.payload import encode
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.document.scope import RunFacts
from ia_modules.pipeline.inputs import step_input
from ia_modules.pipeline.mapping import items_of
from ia_modules.pipeline.overrides import Override
from ia_modules.pipeline.results import scope_before
from ia_modules.pipeline.tokens import GraphState, Route, StepRun, StepRunKey
from ia_modules.transitions import REMOTE_GIVEN_UP, cluster_in


def refs_json(
    parents: Iterable[StepRunKey],
    *,
    is_state: bool,
    left_out: Iterable[Problem] = (),
    override: Override | None = None,
    items: int | None = None,
) -> dict[str, Any]:
    """``input_refs`` of an attempt: its parents; with ``state`` its input is the state that they make.

    Args:
        items: for how many it runs; the key is there only in a map.
        left_out: inputs that did not resolve and need not; the key is there only where there are any.
        override: what stands in the place of its input or result; ``edited`` says which, and ``by`` who said so.
    """
    missing = [{"where": problem.where, "why": problem.found} for problem in left_out]
    refs: dict[str, Any] = {"parents": [list(parent) for parent in parents], "state": is_state}
    if items is not None:
        refs["items"] = items
    if missing:
        refs["left_out"] = missing
    if override is not None and override.edited is not None:
        refs |= {"edited": override.edited, "by": override.actor}
    return refs


@lru_cache(maxsize=1_000)
def refs_after_one(parent: StepRunKey, *, is_state: bool) -> JsonText:
    """The text of ``input_refs`` of what nearly every attempt is: with one parent, and as its definition says."""
    return encode(refs_json((parent,), is_state=is_state), "parents")


def routes_json(routes: Iterable[Route]) -> dict[str, Any]:
    """``routes`` of an attempt whose run leads on along paths."""
    return {"next": "paths", "paths": [route.to_json() for route in routes]}


def retry_json(delay_seconds: float) -> dict[str, Any]:
    """``routes`` of an attempt that failed and is made again."""
    return {"next": "retry", "delay_seconds": delay_seconds}


STOP_JSON: Mapping[str, Any] = {"next": "stop"}
"""``routes`` of an attempt whose run failed for good or was cancelled: nothing follows."""


LINGER_SECONDS = 2.0
"""A delay that is over within this time is waited for; during a longer one an execution may rest."""


class Span(NamedTuple):
    """When an attempt ran, or waited for a short delay, until it asked a person."""

    began_at: datetime
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A step run with the attempts that were made.

    Attributes:
        began_at: when its first attempt was recorded.
        spans: of the attempts that have ended and were not lost.
        attempts: all of them, the lost ones too.
        failures: those that failed; retries are counted by these.
        last_failed: the number of the newest attempt that failed, before it was reopened too; 0: none has.
        last: the newest attempt.
        losses: how many of the newest ones that have ended were lost elsewhere, one after the other.
    """

    run: StepRun
    attempts: int
    failures: int
    last_failed: int
    last: AttemptRecord
    began_at: datetime
    spans: tuple[Span, ...]
    losses: int = 0

    @property
    def has_result(self) -> bool:
        """Whether something may lead on from it; its last attempt has the result."""
        return self.run.routes is not None

    @property
    def retry_delay_seconds(self) -> float:
        """How long to wait before the next attempt; 0 where none is due to a failure."""
        routes = _mapping(self.last.routes)
        return float(routes["delay_seconds"]) if routes.get("next") == "retry" else 0.0

    @property
    def is_waiting(self) -> bool:
        return self.last.status is StepStatus.WAITING


def recorded_runs(records: Iterable[AttemptRecord], *, reopened: bool = False) -> list[RecordedRun]:
    """The step runs of an execution, each after its parents and its step's previous iteration.

    Neither times nor ids decide on the order: clocks are set back, and hosts that make ids have clocks that differ.

    Args:
        reopened: runs that failed for good or were cancelled are to be run again, as if the execution had been reopened
            now; those that had until it was reopened are anyway.

    Raises:
        StepConflict: a run is among its own ancestors.
    """
    attempts: dict[StepRunKey, list[AttemptRecord]] = {}
    for record in sorted(records, key=lambda record: (record.step_id, record.iteration, record.attempt)):
        attempts.setdefault(StepRunKey(record.step_id, record.iteration), []).append(record)
    runs = {key: _recorded_run(key, made, reopened=reopened) for key, made in attempts.items()}
    return [runs[key] for key in in_order_of_descent({key: recorded.run.parents for key, recorded in runs.items()})]


def in_order_of_descent(parents: Mapping[StepRunKey, Iterable[StepRunKey]]) -> list[StepRunKey]:
    """Step runs, each after its parents and its step's previous iteration; the same for the same order of the keys.

    Raises:
        StepConflict: a run is among its own ancestors.
    """
    before = {key: (*those, key._replace(iteration=key.iteration - 1)) for key, those in parents.items()}
    try:
        return [key for key in TopologicalSorter(before).static_order() if key in parents]
    except CycleError as error:
        step_id, iteration = error.args[1][0]
        recorded = f"iteration {iteration}, following from itself"
        raise StepConflict(step_id, recorded=recorded, replayed="following from what ran before") from error


def recorded_results(runs: Iterable[RecordedRun], outputs: Mapping[StepExecutionId, Json]) -> dict[StepRunKey, Any]:
    """The results of the step runs that have one.

    Args:
        outputs: what their attempts gave, by their ids.
    """
    return {run.run.key: outputs[run.last.step_execution_id] for run in runs if run.has_result}


def in_order_of_completion(runs: Iterable[RecordedRun]) -> list[RecordedRun]:
    """The runs that have a result, those that were recorded together as they stand: their rows change no more."""
    return sorted((run for run in runs if run.has_result), key=lambda run: run.last.sequence)


def deaths_in_a_row(records: Iterable[AttemptRecord]) -> tuple[str, int]:
    """The step whose newest attempts were cut off most often by the death of their process, and how often in a row.

    An attempt that is running counts, unless it runs elsewhere: its process is gone, too. What was lost elsewhere had
    an owner that lived. ``("", 0)`` where none was cut off.
    """
    counts: dict[StepRunKey, int] = {}
    for record in sorted(records, key=lambda record: (record.step_id, record.iteration, record.attempt)):
        key = StepRunKey(record.step_id, record.iteration)
        is_cut_off = record.status in (StepStatus.LOST, StepStatus.RUNNING)
        died = is_cut_off and not is_elsewhere(record) and record.error_type not in _LOST_ELSEWHERE
        counts[key] = counts.get(key, 0) + 1 if died else 0
    worst = max(counts, key=counts.__getitem__, default=StepRunKey("", 1))
    return worst.step_id, counts.get(worst, 0)


_LOST_ELSEWHERE = (StepLost.__name__, REMOTE_GIVEN_UP.type)


def is_elsewhere(attempt: AttemptRecord) -> bool:
    """Whether an attempt runs on a Ray cluster, as ``StepState.is_elsewhere``."""
    return attempt.status is StepStatus.RUNNING and cluster_in(attempt.awaits) is not None


def loop_seconds(runs: Iterable[RecordedRun]) -> dict[str, float]:
    """How long each loop has run until its newest iteration began, in seconds, by step; 0 where a step ran once.

    Only the time counts in which an attempt ran or waited for a short delay: neither longer delays, nor the time while
    its question was open, nor attempts that were lost, nor the time until somebody resumed the execution. A clock that
    is set back counts as no time; one that is set forward during an attempt counts, since nothing tells it from time
    that passed.
    """
    runs = list(runs)
    covered = _Covered(span for run in runs for span in run.spans)
    first: dict[str, datetime] = {}
    newest: dict[str, datetime] = {}
    for run in runs:
        newest[run.run.key.step_id] = run.began_at
        first.setdefault(run.run.key.step_id, run.began_at)
    return {step_id: covered.seconds(first[step_id], newest[step_id]) for step_id in newest}


class _Covered:
    """How much time lies in one of some spans, which may overlap."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._begins: list[datetime] = []  # of the stretches that the spans cover
        self._ends: list[datetime] = []
        self._before: list[float] = []  # seconds in all earlier stretches
        for span in sorted(span for span in spans if span.ended_at > span.began_at):
            if self._ends and span.began_at <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], span.ended_at)
                continue
            self._before.append(self._until(span.began_at))
            self._begins.append(span.began_at)
            self._ends.append(span.ended_at)

    def seconds(self, low: datetime, high: datetime) -> float:
        """Between two moments; 0 where the second is not later."""
        return max(self._until(high) - self._until(low), 0.0)

    def _until(self, moment: datetime) -> float:
        stretch = bisect_right(self._begins, moment) - 1
        if stretch < 0:
            return 0.0
        seconds = (min(moment, self._ends[stretch]) - self._begins[stretch]).total_seconds()
        return self._before[stretch] + seconds


def state_of(graph: Graph, runs: Iterable[RecordedRun]) -> GraphState:
    """The tokens of the execution, by its rows.

    Raises:
        StepConflict: the rows do not follow from this definition.
    """
    return GraphState(graph, (recorded.run for recorded in runs))


def input_of(
    record: StepExecutionRecord, graph: Graph, input_data: Mapping[str, Any], records: Sequence[StepExecutionRecord]
) -> dict[str, Any]:
    """The input of an attempt: its stored inputs, over the state where that is rebuilt from the results it is made of.

    Args:
        input_data: of the execution.
        records: all attempts of the execution, with their payloads.
    """
    refs = _mapping(record.input_refs)
    if not refs.get("state"):
        return cast("dict[str, Any]", record.input_data or {})
    runs = recorded_runs(record.as_attempt() for record in records)
    results = recorded_results(runs, {record.step_execution_id: record.output_data for record in records})
    state = scope_before(state_of(graph, runs), _parents(refs), input_data, results).state
    return state.to_dict() | {**_mapping(record.input_data)}


def item_input_of(
    item: StepExecutionRecord,
    graph: Graph,
    input_data: Mapping[str, Any],
    records: Sequence[StepExecutionRecord],
    *,
    is_lenient: bool,
) -> Json:
    """The input of an attempt of an item, which is stored where it is small: else made again, as it was made.

    Args:
        input_data: of the execution.
        records: all attempts of the graph's own steps, with their payloads.
        is_lenient: schemas only warn, as its definition says.

    Returns: None for what is no item of a map, and has none.

    Raises:
        StepError, StepConflict: its list does not come about any more, so somebody else has changed rows.
    """
    if item.input_data is not None:
        return item.input_data
    around = next((each for each in records if path_of(GRAPH, each.step_id, each.iteration) == item.within), None)
    if around is None or around.step_id != item.step_id or (step := graph.step(item.step_id)).map is None:
        return None
    runs = recorded_runs(record.as_attempt() for record in records)
    results = recorded_results(runs, {record.step_execution_id: record.output_data for record in records})
    parents = _parents(_mapping(around.input_refs))
    facts = RunFacts(around.iteration, around.attempt, item.execution_id, is_bare=not graph.has_own_run)
    scope = scope_before(state_of(graph, runs), parents, input_data, results).of_run(facts)
    items = items_of(step, scope)
    if item.iteration > len(items):
        raise StepConflict(step.id, recorded=f"an item {item.iteration}", replayed=f"a list of {len(items)}")
    return step_input(step, scope.of_item(items.item(item.iteration)), is_lenient=is_lenient).data


def _recorded_run(key: StepRunKey, made: list[AttemptRecord], *, reopened: bool) -> RecordedRun:
    last, stored = made[-1], _mapping(made[-1].routes)
    routes = tuple(map(Route.from_json, stored["paths"])) if stored.get("next") == "paths" else None
    runs_again = routes is None and (reopened or last.is_reopened)
    is_pending = stored.get("next") == "retry" or (runs_again and last.status.is_terminal)
    run = StepRun(
        key, StepStatus.PENDING if is_pending else last.status, _parents(_mapping(made[0].input_refs)), routes
    )
    failures = 0 if reopened else sum(each.status is StepStatus.FAILED and not each.is_reopened for each in made)
    spans = tuple(
        Span(_began_at(each), min(each.completed_at, each.asked_at or each.completed_at))
        for each in made
        if each.completed_at is not None and each.status is not StepStatus.LOST
    )
    last_failed = max((each.attempt for each in made if each.status is StepStatus.FAILED), default=0)
    return RecordedRun(run, len(made), failures, last_failed, last, made[0].created_at, spans, _losses(made))


def _losses(made: Sequence[AttemptRecord]) -> int:
    """How many of the newest attempts that have ended were lost elsewhere; until then, as on a retry, others count."""
    ended = [each for each in made if each.status.is_terminal]
    was_lost = (each.status is StepStatus.LOST and each.error_type == StepLost.__name__ for each in reversed(ended))
    return sum(takewhile(bool, was_lost))


def _began_at(attempt: AttemptRecord) -> datetime:
    """When it began to run, or to wait for a delay during which nobody rests."""
    created_at, wake_at = attempt.created_at, attempt.wake_at
    has_asked = attempt.awaits is not None and cluster_in(attempt.awaits) is None
    if wake_at is None or has_asked or (wake_at - created_at).total_seconds() <= LINGER_SECONDS:
        return created_at
    return attempt.started_at or attempt.completed_at or created_at


def _parents(refs: Mapping[str, Any]) -> tuple[StepRunKey, ...]:
    return tuple(StepRunKey(step_id, iteration) for step_id, iteration in refs.get("parents", ()))


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}
