"""What this process knows of executions that it runs: a guess, which the compare-and-swap of each write confirms.

From its beginning, or from when its rows were read, until it ends, rests, is handed back or lost. Nothing is answered
from here: the rows are the truth, and what is refused is decided again on them.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from ia_modules.database.manager import Script, Statement
from ia_modules.deciding import Decision
from ia_modules.models import ExecutionId, ExecutionStatus, RunPath, StepExecutionId
from ia_modules.paths import GRAPH
from ia_modules.states import ExecutionState, Known, StepState
from ia_modules.tracker.batch import Query
from ia_modules.transitions import Transition

KNOWN_EXECUTIONS = 20_000
"""How many executions are known at once; those that were written longest ago go first."""

READ_ATTEMPTS = 1_000
"""Of an execution with more of them on record, they are not read to know it again: it goes the way that reads."""


@dataclass(slots=True)
class KnownExecution:
    """An execution that runs.

    Attributes:
        open: its attempts that have not ended, all of them.
        latest: the newest attempt of each step (None) and of each iteration of the graph's own steps.
        inner: how many of the open attempts are within a run.
        is_asking: a question to a person may be open.
    """

    state: ExecutionState
    open: dict[StepExecutionId, StepState] = field(default_factory=dict[StepExecutionId, StepState])
    latest: dict[tuple[RunPath, str, int | None], StepState] = field(
        default_factory=dict[tuple[RunPath, str, int | None], StepState]
    )
    inner: int = 0
    is_asking: bool = False

    def known_to(self, transition: Transition) -> Known:
        latest: dict[tuple[RunPath, str, int | None], StepState] = {}
        for start in transition.starts:
            key = start.follows
            if key is not None and key in self.latest:
                latest[key] = self.latest[key]
        # What has ended within a run is not known any more, and what asks may be in there.
        has_inner = self.inner > 0 or self.is_asking
        return Known(execution=self.state, steps=self.open, latest=latest, has_inner=has_inner)

    def add(self, step: StepState) -> None:
        """An attempt as it is from here on."""
        was_open = self.open.pop(step.step_execution_id, None) is not None
        if not step.status.is_terminal:
            self.open[step.step_execution_id] = step
        if step.within != GRAPH:
            self.inner += (not step.status.is_terminal) - was_open
        for iteration in (None, step.iteration) if step.within == GRAPH else (None,):
            key = (step.within, step.step_id, iteration)
            newest = self.latest.get(key)
            if newest is None or (newest.iteration, newest.attempt) <= (step.iteration, step.attempt):
                self.latest[key] = step


class KnownExecutions:
    """Some executions that this process runs, and which attempts are whose."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._executions: dict[ExecutionId, KnownExecution] = {}
        self._homes: dict[StepExecutionId, ExecutionId] = {}

    def __len__(self) -> int:
        return len(self._executions)

    def get(self, execution_id: ExecutionId) -> KnownExecution | None:
        return self._executions.get(execution_id)

    def home_of(self, transition: Transition) -> ExecutionId | None:
        """The execution that a transition without its id is about; None: not known."""
        return self._homes.get(transition.updates[0].step_execution_id) if transition.updates else None

    def add(self, execution: KnownExecution) -> None:
        """Know an execution from here on, if it runs."""
        execution_id = execution.state.execution_id
        self.forget(execution_id)
        self._executions[execution_id] = execution
        for step_execution_id in execution.open:
            self._homes[step_execution_id] = execution_id
        self._keep_within_bounds(execution)

    def advance(self, decision: Decision) -> None:
        """Bring forward what is known of an execution, by what was decided on that and is written now."""
        execution_id = decision.execution.execution_id
        if decision.execution.status is not ExecutionStatus.RUNNING:
            self.forget(execution_id)
            return
        execution = self._executions.pop(execution_id, None) or KnownExecution(decision.execution)
        self._executions[execution_id] = execution  # the last one again
        execution.state = decision.execution
        for step in decision.steps.values():
            execution.add(step)
            if step.status.is_terminal:
                self._homes.pop(step.step_execution_id, None)
            else:
                self._homes[step.step_execution_id] = execution_id
        self._keep_within_bounds(execution)

    def forget(self, execution_id: ExecutionId) -> None:
        execution = self._executions.pop(execution_id, None)
        if execution is not None:
            for step_execution_id in execution.open:
                self._homes.pop(step_execution_id, None)

    def _keep_within_bounds(self, newest: KnownExecution) -> None:
        if newest.state.status is not ExecutionStatus.RUNNING:
            self.forget(newest.state.execution_id)
        elif len(self._executions) > self._limit:
            self.forget(next(iter(self._executions)))


def read_known(query: Query, owners: Mapping[ExecutionId, str]) -> Script[list[KnownExecution]]:
    """What the rows say of executions; only of those that still have this owner, and not too many attempts."""
    known: dict[ExecutionId, KnownExecution] = {}
    params = [{"execution_id": execution_id} for execution_id in owners]
    for row in (yield Statement(query("read_execution_state"), params)):
        state = ExecutionState.from_row(row)
        if state.owner == owners[state.execution_id]:
            known[state.execution_id] = KnownExecution(state)
    params = [{"execution_id": execution_id, "limit": READ_ATTEMPTS + 1} for execution_id in known]
    rows = yield Statement(query("read_attempts"), params)
    for execution_id, attempts in Counter(row["execution_id"] for row in rows).items():
        if attempts > READ_ATTEMPTS:
            del known[execution_id]
    for row in rows:
        if row["execution_id"] in known:
            known[row["execution_id"]].add(StepState.from_row(row))
    params = [{"execution_id": execution_id} for execution_id in known]
    for row in (yield Statement(query("read_asking"), params)):
        known[row["execution_id"]].is_asking = True
    return list(known.values())
