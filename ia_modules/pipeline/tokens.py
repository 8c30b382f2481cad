"""Which steps of an execution start next, and its status: a pure replay of the recorded step runs.

A taken path puts a token on its target. A step starts when it holds a token and no other token can still reach it; it
takes all its tokens, and each start is its next iteration. Where tokens only wait for each other, the first in file
order starts.

The step runs and their parents do not depend on timing: no other token can reach a step that may start, so it may start
later too, with the same tokens.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self

from msgspec import Struct

from ia_modules.errors import LoopLimitExceeded, StepConflict
from ia_modules.models import ExecutionStatus, StepStatus
from ia_modules.pipeline.document.definition import is_end
from ia_modules.pipeline.document.graph import Graph


class StepRunKey(NamedTuple):
    """One iteration of one step; all its attempts are the same step run."""

    step_id: str
    iteration: int


class Route(Struct, frozen=True):
    """One path after its step has run: taken or not. Recorded with the completion and never computed again.

    Attributes:
        path: its place in the file; None for the edge of ``on_timeout``.
        why: a clause without its full stop.
    """

    path: int | None
    to_step: str
    taken: bool
    why: str

    def to_json(self) -> dict[str, Any]:
        return {"path": self.path, "to_step": self.to_step, "taken": self.taken, "why": self.why}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Self:
        return cls(row["path"], row["to_step"], row["taken"], row["why"])


class StepRun(Struct, frozen=True):
    """One step run, as recorded.

    Attributes:
        status: of the run: ``pending`` also between two attempts; ``lost`` until the next attempt is recorded.
        parents: the step runs whose tokens it took, in file order of the joining paths; recorded with its start. None
            for the first run of the first step.
        routes: recorded with its completion, or with a failure after which the flow continues. None: not finished, or
            nothing follows (failed for good, cancelled).
    """

    key: StepRunKey
    status: StepStatus
    parents: tuple[StepRunKey, ...] = ()
    routes: tuple[Route, ...] | None = None

    @property
    def is_active(self) -> bool:
        """True while it may still put tokens on other steps."""
        return self.routes is None and (self.status is StepStatus.LOST or not self.status.is_terminal)

    @property
    def has_stopped(self) -> bool:
        """True when it is over and nothing follows: it failed for good, or was cancelled."""
        return self.routes is None and not self.is_active


class Start(Struct, frozen=True):
    """A step that may start now.

    Attributes:
        parents: of its :class:`StepRun`; to be recorded with the start.
        closes_loop: a path that leads back brought it here: ``iteration_delay_seconds`` applies.
    """

    key: StepRunKey
    parents: tuple[StepRunKey, ...]
    closes_loop: bool


_WAITS = (StepStatus.WAITING, StepStatus.PENDING)


class GraphState:
    """The tokens of one execution, from its recorded step runs.

    Attributes:
        runs: the step runs so far, each as last recorded, in the order of their starts.
        is_over: nothing starts any more: a run ended the execution, failed for good, or was cancelled.
        ended: the first on record that took a path with ``ends: execution``. Nothing starts after it, whatever tokens
            there are; None: none has.
        started: how many started before each of them.
        busy: how many are not over, and wait neither for a person nor for a delay.
    """

    def __init__(self, graph: Graph, runs: Iterable[StepRun] = ()) -> None:
        """Replays ``runs``, each after its parents, such as in the order of their starts."""
        self.graph = graph
        self.runs: dict[StepRunKey, StepRun] = {}
        self.is_over, self.busy = False, 0
        self.ended: StepRunKey | None = None
        self.started: dict[StepRunKey, int] = {}
        self._active: dict[StepRunKey, StepRun] = {}
        self._stopped: dict[StepRunKey, StepRun] = {}
        self._iterations: dict[str, int] = {}
        self._tokens: dict[str, dict[StepRunKey | None, int]] = {graph.definition.flow.start_at: {None: -1}}
        for run in runs:
            self.record(run)

    def record(self, run: StepRun) -> None:
        """Adds or updates a step run that has started or changed.

        Raises:
            StepConflict: it does not follow from the recorded runs: the definition or a record has changed.
        """
        key, routes = run.key, run.routes
        known = self.runs.get(key)
        if routes is None and run.status in (StepStatus.COMPLETED, StepStatus.SKIPPED):
            raise StepConflict(key.step_id, recorded=f"{run.status} without routes", replayed="with its routes")
        if known is None:
            self._take_tokens(run)
            self.started[key] = len(self.runs)
        elif known.parents != run.parents or (known.routes is not None and known.routes != routes):
            raise StepConflict(key.step_id, recorded=str(known), replayed=str(run))
        if routes is not None and (known is None or known.routes is None):
            self._put_tokens(key, routes)
        self.runs[key] = run
        was, is_active = self._active.pop(key, None), run.is_active
        if was is not None and was.status not in _WAITS:
            self.busy -= 1
        if is_active:
            self._active[key] = run
            self.busy += run.status not in _WAITS
        elif routes is None:
            self._stopped[key] = run
        if self._stopped and (is_active or routes is not None):
            self._stopped.pop(key, None)
        self.is_over = self.ended is not None or bool(self._stopped)

    def active(self) -> list[StepRun]:
        """Runs that are not over. After a restart, those that do not wait for a person run again."""
        return list(self._active.values())

    @property
    def goes_on(self) -> bool:
        """Whether a run that is not over does not wait for a person."""
        return self.busy > 0 or any(run.status is not StepStatus.WAITING for run in self._active.values())

    def stopped(self) -> list[StepRun]:
        """Runs that failed for good or were cancelled."""
        return list(self._stopped.values())

    def holders(self) -> list[str]:
        """The steps that hold a token, in file order."""
        return sorted(self._tokens, key=self.graph.place.__getitem__) if len(self._tokens) > 1 else [*self._tokens]

    def next_start(self, step_id: str) -> Start:
        """The next start of a step, with the tokens that it holds."""
        held, place = self._tokens[step_id], self.graph.place
        key = StepRunKey(step_id, self._iterations.get(step_id, 0) + 1)
        if len(held) == 1:  # what nearly every step of a chain holds
            ((source, path),) = held.items()
            return Start(key, (), False) if source is None else Start(key, (source,), self.graph.leads_back(path))
        parents = [source for source in held if source is not None]
        parents.sort(key=lambda source: (held[source], place[source.step_id], source.iteration))
        return Start(key, tuple(parents), any(map(self.graph.leads_back, [held[each] for each in parents])))

    def _take_tokens(self, run: StepRun) -> None:
        step_id = run.key.step_id
        held = self._tokens.get(step_id, {})
        wanted = run.parents or (None,)
        if run.key.iteration != self._iterations.get(step_id, 0) + 1 or any(each not in held for each in wanted):
            holds = ", ".join(map(_named, held)) or "nothing"
            expected = f"iteration {self._iterations.get(step_id, 0) + 1}, following from {holds}"
            found = f"iteration {run.key.iteration}, following from {', '.join(map(_named, wanted))}"
            raise StepConflict(step_id, recorded=found, replayed=expected)
        self._iterations[step_id] = run.key.iteration
        for source in wanted:
            del held[source]
        if not held:
            self._tokens.pop(step_id, None)

    def _put_tokens(self, source: StepRunKey, routes: Sequence[Route]) -> None:
        targets, ends = self.graph.exits_of(source.step_id)
        for route in routes:
            if targets.get(route.path) != route.to_step:
                found, expected = f"leading to {route.to_step!r}", f"leading to {targets.get(route.path)!r}"
                raise StepConflict(source.step_id, recorded=found, replayed=expected)
            if route.taken and route.path in ends:
                self.ended = self.ended or source
            if route.taken and not is_end(route.to_step):
                order = len(self.graph.definition.flow.paths) if route.path is None else route.path
                self._tokens.setdefault(route.to_step, {}).setdefault(source, order)


def ready(state: GraphState) -> list[Start]:
    """Steps that start now, in one transition; none when it is over."""
    if state.is_over:
        return []
    graph, holders = state.graph, state.holders()
    if not holders:
        return []
    runs = state.active()
    if not runs and len(holders) == 1:  # what nearly every turn of a chain is
        return [state.next_start(holders[0])]
    active = graph.mask([run.key.step_id for run in runs])
    occupied = active | graph.mask(holders)
    return [state.next_start(step_id) for step_id in holders if _may_start(graph, step_id, occupied, active)]


def verdict(state: GraphState) -> ExecutionStatus:
    """The status of the execution. Ended although siblings still run: the caller cancels these."""
    if state.ended is not None:
        return ExecutionStatus.COMPLETED
    if state.is_over:
        has_failed = any(run.status is StepStatus.FAILED for run in state.stopped())
        return ExecutionStatus.FAILED if has_failed else ExecutionStatus.CANCELLED
    if state.busy or state.goes_on or ready(state):
        return ExecutionStatus.RUNNING
    return ExecutionStatus.WAITING_FOR_HUMAN if state.active() else ExecutionStatus.COMPLETED


def loop_limit(graph: Graph, start: Start, *, loop_seconds: float) -> LoopLimitExceeded | None:
    """The error when a further iteration exceeds a limit; None when it may start.

    Args:
        loop_seconds: since the step's first iteration started, without the time spent waiting for people.
    """
    step_id, iteration = start.key
    limits, step = graph.definition.loop_config, graph.step(step_id)
    if iteration > (allowed := graph.definition.max_iterations_of(step)):
        found = f"it has run {iteration - 1} times"
        is_own, is_final = step.max_iterations is not None, iteration > allowed + 1
        return LoopLimitExceeded(
            step_id, limit="max_iterations", allowed=allowed, found=found, is_own=is_own, is_final=is_final
        )
    if iteration > 1 and loop_seconds > limits.max_loop_time_seconds:
        found = f"its loop has run for {loop_seconds:g} seconds"
        allowed = limits.max_loop_time_seconds
        return LoopLimitExceeded(step_id, limit="max_loop_time_seconds", allowed=allowed, found=found)
    return None


def _may_start(graph: Graph, step_id: str, occupied: int, active: int) -> bool:
    """A step may start when no other token can still reach it.

    Exception, for loops: tokens that only wait for each other. Then the steps start that no other of these tokens can
    reach without a back edge. No token from outside can come between: what reaches one of them reaches all.
    """
    itself = graph.mask([step_id])
    awaited = graph.before(step_id) & occupied & ~itself
    waits_for_others = awaited & (active | ~graph.after(step_id))
    return not awaited or (not waits_for_others and not awaited & graph.before_forward(step_id))


def _named(source: StepRunKey | None) -> str:
    return "the start" if source is None else f"{source.step_id}#{source.iteration}"
