"""One batch of transitions as a database script: read, decide, write. Nothing here waits or knows a dialect.

The write of an execution is a compare-and-swap on its sequence and epoch. What was decided on rows that changed in
between is not written; its outcome is None, and the committer brings the transition again.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import asdict, replace

from ia_modules.database.manager import Script, Statement
from ia_modules.deciding import Decision, decide, grouped
from ia_modules.errors import (
    AlreadyRepeated,
    ExecutionNotFound,
    PipelineNotFound,
    StepExecutionNotFound,
    TrackerError,
)
from ia_modules.failure_groups import RULE, FailureGroup
from ia_modules.models import (
    ExecutionId,
    ExecutionStatus,
    PipelineId,
    RunPath,
    StepExecutionId,
    is_id,
)
from ia_modules.paths import GRAPH
from ia_modules.payload import encode
from ia_modules.states import WAITING, ExecutionState, InteractionState, Known, StepState
from ia_modules.tracker.batch_rows import (
    NO_RESULT,
    execution_row,
    new_execution_row,
    place_row,
    start_row,
    update_row,
    usage_row,
)
from ia_modules.tracker.closing import close, closing_row
from ia_modules.tracker.liveness import Liveness
from ia_modules.tracker.responses import question_row, response_row, states
from ia_modules.transitions import (
    Answer,
    Assignment,
    Failure,
    NewExecution,
    Recorded,
    Recovery,
    RequestCancel,
    Requeue,
    Transition,
)

_ENDED_BADLY = (ExecutionStatus.FAILED, ExecutionStatus.CANCELLED)

WriteOutcome = Recorded | TrackerError | None
"""What became of a transition; None = somebody changed the execution meanwhile, it must be decided again."""

Query = Callable[[str], str]


def write_batch(query: Query, transitions: Sequence[Transition]) -> Script[list[WriteOutcome]]:
    """The script that writes transitions, in their order; returns the outcome of each."""
    rows = yield from _read(query, transitions)
    writes = _Writes()
    outcomes: list[WriteOutcome] = []
    for transition in transitions:
        try:
            outcomes.append(_decide(rows, writes, transition))
        except TrackerError as refused:
            outcomes.append(refused)
    written = yield from _write(query, writes)
    stale = writes.executions.keys() - written
    woken = yield from _rest(query, writes, written)
    yield from _group_failures(query, writes, written)
    decided = zip(transitions, outcomes, strict=True)
    return [None if rows.home_of(transition) in stale else _as_woken(outcome, woken) for transition, outcome in decided]


@dataclass(slots=True)
class _KnownRows:
    """The rows that a batch touches, as they are known; brought forward with each decision."""

    pipelines: dict[PipelineId, str] = field(default_factory=dict)
    executions: dict[ExecutionId, ExecutionState] = field(default_factory=dict)
    steps: dict[StepExecutionId, StepState] = field(default_factory=dict)
    steps_of: defaultdict[ExecutionId, set[StepExecutionId]] = field(default_factory=lambda: defaultdict(set))
    latest: defaultdict[ExecutionId, dict[tuple[RunPath, str, int | None], StepState]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    with_inner: set[ExecutionId] = field(default_factory=set)
    interactions: dict[str, InteractionState] = field(default_factory=dict)
    open_within: dict[tuple[ExecutionId, RunPath], set[str]] = field(default_factory=dict)
    already_recorded: set[str] = field(default_factory=set)
    gone_owners: set[str] = field(default_factory=set)
    repeats: dict[ExecutionId, tuple[ExecutionId, ExecutionStatus]] = field(default_factory=dict)

    def home_of(self, transition: Transition) -> ExecutionId:
        """The execution that a transition is about; an id that nothing has when it cannot be found."""
        try:
            return self.execution_of(transition)
        except TrackerError:
            return ExecutionId("")

    def execution_of(self, transition: Transition) -> ExecutionId:
        """The execution that a transition is about, found by the attempts it updates when it does not say."""
        if transition.execution_id is not None:
            return transition.execution_id
        if not transition.updates:
            raise ExecutionNotFound("")
        first = transition.updates[0].step_execution_id
        if first not in self.steps:
            raise StepExecutionNotFound(first)
        return self.steps[first].execution_id

    def known_to(self, transition: Transition, execution_id: ExecutionId) -> Known:
        return Known(
            execution=self.executions.get(execution_id),
            steps=self.steps,
            latest=self.latest[execution_id],
            interactions=self.interactions,
            already_recorded=self.already_recorded,
            has_inner=execution_id in self.with_inner,
            others_open=self._others_open(transition),
            is_owner_gone=execution_id in self.executions and self.executions[execution_id].owner in self.gone_owners,
        )

    def _others_open(self, transition: Transition) -> tuple[str, ...]:
        if transition.answer is None or transition.answer.interaction_id not in self.interactions:
            return ()
        id_ = transition.answer.interaction_id
        return (id_,) if self.open_beside(self.interactions[id_]) - {id_} else ()

    def open_beside(self, question: InteractionState) -> set[str]:
        """Open questions within the run that a question is in, itself too; none in the graph."""
        asker = self.steps.get(question.step_execution_id)
        return set() if asker is None else self.open_within.get((asker.execution_id, asker.within), set())

    def add_step(self, step: StepState) -> None:
        self.steps[step.step_execution_id] = step
        self.steps_of[step.execution_id].add(step.step_execution_id)

    def add_latest(self, step: StepState, *of: int | None) -> None:
        """A step's newest attempt (None), or the newest of one iteration, unless a newer one is known."""
        latest = self.latest[step.execution_id]
        for iteration in of:
            key = (step.within, step.step_id, iteration)
            newest = latest.get(key)
            if newest is None or (newest.iteration, newest.attempt) <= (step.iteration, step.attempt):
                latest[key] = step

    def advance(self, decision: Decision) -> None:
        """Bring the rows forward, so that a later decision is the same as in a batch of its own."""
        execution_id = decision.execution.execution_id
        self.executions[execution_id] = decision.execution
        for closing in decision.closings:
            for step in [self.steps[id_] for id_ in self.steps_of[execution_id]]:
                self.add_step(closing.closed(step))
            for key, step in self.latest[execution_id].items():
                self.latest[execution_id][key] = closing.closed(step)
            for question in self.interactions.values():
                if question.execution_id == execution_id:
                    self.interactions[question.interaction_id] = closing.closed_question(question, self.steps)
        self.interactions |= decision.interactions
        for question in decision.interactions.values():
            if question.status != "pending":
                self.open_beside(question).discard(question.interaction_id)
        for step in decision.steps.values():
            self.add_step(step)
            self.add_latest(step, None, step.iteration)
            if step.within != GRAPH:
                self.with_inner.add(execution_id)


@dataclass(slots=True)
class _Writes:
    """The rows to write: one per execution, which stands for all its transitions, and theirs in their order."""

    executions: dict[ExecutionId, dict[str, Any]] = field(default_factory=dict)
    created: set[ExecutionId] = field(default_factory=set)
    aliases: list[dict[str, Any]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    attributes: list[dict[str, Any]] = field(default_factory=list)
    copies: list[dict[str, Any]] = field(default_factory=list)
    rests: set[ExecutionId] = field(default_factory=set)
    starts: list[dict[str, Any]] = field(default_factory=list)
    started: set[StepExecutionId] = field(default_factory=set)
    updates: list[dict[str, Any]] = field(default_factory=list)
    spent: list[dict[str, Any]] = field(default_factory=list)
    usages: list[dict[str, Any]] = field(default_factory=list)
    places: list[dict[str, Any]] = field(default_factory=list)
    closings: list[dict[str, Any]] = field(default_factory=list)
    logs: list[dict[str, Any]] = field(default_factory=list)
    dropped: list[dict[str, Any]] = field(default_factory=list)
    asks: list[dict[str, Any]] = field(default_factory=list)
    questions: list[dict[str, Any]] = field(default_factory=list)
    responses: list[dict[str, Any]] = field(default_factory=list)
    failed: list[tuple[ExecutionId, Transition, FailureGroup]] = field(default_factory=list)
    deeds: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self,
        transition: Transition,
        before: ExecutionState | None,
        decision: Decision,
        names: Mapping[PipelineId, str],
    ) -> None:
        after = decision.execution
        if transition.new is not None:
            self.created.add(after.execution_id)
            self.executions[after.execution_id] = new_execution_row(transition.new, names[transition.new.pipeline_id])
            self._add_names(transition.new, after.execution_id)
        elif after.execution_id not in self.executions and before is not None:
            known = {"known_sequence": before.sequence, "known_epoch": before.epoch}
            self.executions[after.execution_id] = {**known, **NO_RESULT, "metadata": None}
        self.executions[after.execution_id] |= execution_row(transition, decision)
        if decision.rests:
            self.rests.add(after.execution_id)
        if decision.group is not None:
            self.failed.append((after.execution_id, transition, decision.group))
        stamp = {"execution_id": after.execution_id, "sequence": after.sequence}
        self.copies += [asdict(copy) | stamp for copy in decision.copied]
        self.starts += [start_row(start) | stamp for start in decision.started]
        self.started |= {start.step_execution_id for start in decision.started}
        self.updates += [update_row(update) | stamp for update in decision.updated]
        if decision.spent is not None:
            self.spent.append(asdict(decision.spent) | stamp)
            self.usages += [usage_row(update, update.usage) | stamp for update in decision.updated if update.usage]
        self.places += [place_row(update, update.place) | stamp for update in decision.updated if update.place]
        self.closings += [closing_row(each, after.execution_id, after.sequence) for each in decision.closings]
        self.logs += [
            {
                "log_id": line.log_id,
                "step_execution_id": line.step_execution_id,
                "within": line.within,
                "level": line.level.value,
                "logger": line.logger,
                "message": line.message,
                "data": line.data,
                "ago_seconds": -line.age_seconds,
            }
            | stamp
            for line in decision.logs
        ]
        self.dropped += [{"step_execution_id": attempt} | stamp for attempt in decision.dropped]
        self.asks += [asdict(ask) | stamp for ask in transition.asks]
        new = {ask.interaction_id for ask in transition.asks}
        self.questions += [
            question_row(question, transition.answer) | stamp
            for id_, question in decision.interactions.items()
            if id_ not in new
        ]
        answer = transition.answer
        if isinstance(answer, Answer):
            response = decision.interactions[answer.interaction_id].responses[-1]
            self.responses.append(response_row(answer, response) | stamp)
        if isinstance(answer, Answer | Assignment) and answer.deed is not None:
            self.deeds.append(asdict(answer.deed) | {"subject": answer.interaction_id} | stamp)

    def add_deed(self, transition: Transition, execution_id: ExecutionId) -> None:
        """What somebody has done with who runs an execution, also where it was so before."""
        ownership = transition.ownership
        if isinstance(ownership, Requeue | RequestCancel) and ownership.deed is not None:
            self.deeds.append(asdict(ownership.deed) | {"subject": execution_id, "execution_id": execution_id})

    def _add_names(self, new: NewExecution, execution_id: ExecutionId) -> None:
        """What a new execution is found by, beside its id."""
        self.attributes += [asdict(each) | {"execution_id": execution_id} for each in new.attributes]
        if new.alias is not None:
            self.aliases.append({"alias": new.alias, "execution_id": execution_id})
        if new.idempotency_key is not None:
            self.requests.append(
                {
                    "pipeline_id": new.pipeline_id,
                    "idempotency_key": new.idempotency_key,
                    "execution_id": execution_id,
                    "request_hash": new.request_hash,
                }
            )


def _read(query: Query, transitions: Sequence[Transition]) -> Script[_KnownRows]:
    """Read the rows that transitions touch.

    Executions first: whatever changes after an execution's row was read raises its sequence, so that a decision on
    older rows of its steps is never written.
    """
    rows = _KnownRows()
    yield from _read_repeats(query, rows, transitions)
    execution_ids = {transition.execution_id for transition in transitions if transition.execution_id is not None}
    homeless = {
        transition.updates[0].step_execution_id
        for transition in transitions
        if transition.execution_id is None and transition.updates
    }
    found = yield from _with_ids(query("read_execution_state"), "execution_id", execution_ids)
    found += yield from _with_ids(query("read_execution_state_of_step"), "step_execution_id", homeless)
    for row in found:
        rows.executions[row["execution_id"]] = ExecutionState.from_row(row)
        if row["has_inner"]:
            rows.with_inner.add(row["execution_id"])

    pipeline_ids = {transition.new.pipeline_id for transition in transitions if transition.new is not None}
    for row in (yield from _with_ids(query("read_pipeline"), "pipeline_id", pipeline_ids)):
        rows.pipelines[row["id"]] = row["name"]

    yield from _read_interactions(query, rows, transitions)
    step_ids = {question.step_execution_id for question in rows.interactions.values()}
    step_ids |= {update.step_execution_id for transition in transitions for update in transition.updates}
    step_ids |= {start.step_execution_id for transition in transitions for start in transition.starts}
    step_ids |= {copy.step_execution_id for transition in transitions for copy in transition.copies}
    step_ids |= {line.step_execution_id for transition in transitions for line in transition.logs} - {None}
    for row in (yield from _with_ids(query("read_step_state"), "step_execution_id", step_ids)):
        rows.add_step(StepState.from_row(row))
    yield from _read_open_within(query, rows, transitions)

    followed = {
        (transition.execution_id, *start.follows)
        for transition in transitions
        for start in transition.starts
        if start.follows is not None
    }
    keys = (
        {"execution_id": execution_id, "within": within, "step_id": step_id, "iteration": iteration}
        for execution_id, within, step_id, iteration in followed
        if is_id(execution_id)
    )
    for row in (yield from _for_each(query("read_latest_attempt"), keys)):
        rows.add_latest(StepState.from_row(row), row["of_iteration"])
    rows.already_recorded = yield from _read_already_recorded(query, rows, transitions)
    yield from _read_gone_owners(query, rows, transitions)
    return rows


def _read_repeats(query: Query, rows: _KnownRows, transitions: Sequence[Transition]) -> Script[None]:
    """What repeats the executions that are to be repeated once: the newest that goes on or has completed.

    Their rows are locked first, so that nobody else repeats them before this is committed.
    """
    new = [transition.new for transition in transitions if transition.new is not None]
    once = sorted({each.rerun_of for each in new if each.unless_repeated and each.rerun_of and is_id(each.rerun_of)})
    if not once:
        return
    yield from _for_each(query("lock_repeated"), ({"execution_id": id_} for id_ in once))
    for row in (yield Statement(query("list_repeats"), [{"ids": encode(once, "ids")}])):
        if (status := ExecutionStatus(row["status"])) not in _ENDED_BADLY:
            rows.repeats.setdefault(row["execution_id"], (row["rerun_id"], status))


def _read_interactions(query: Query, rows: _KnownRows, transitions: Sequence[Transition]) -> Script[None]:
    """The questions that are asked, answered or assigned, or expire."""
    ids = {expiry.interaction_id for transition in transitions for expiry in transition.expires}
    ids |= {ask.interaction_id for transition in transitions for ask in transition.asks}
    ids |= {transition.answer.interaction_id for transition in transitions if transition.answer is not None}
    found = yield from _with_ids(query("read_interaction"), "interaction_id", ids)
    for question in (yield from states(query, found)):
        rows.interactions[question.interaction_id] = question


def _read_open_within(query: Query, rows: _KnownRows, transitions: Sequence[Transition]) -> Script[None]:
    """Of the questions that are open within the runs that are answered in: one more than are answered here."""
    answered = [each.answer.interaction_id for each in transitions if each.answer is not None]
    askers = [rows.steps[rows.interactions[id_].step_execution_id] for id_ in answered if id_ in rows.interactions]
    for execution_id, within in {(each.execution_id, each.within) for each in askers if each.within != GRAPH}:
        params = {"execution_id": execution_id, "within": within, "limit": len(answered) + 1}
        found = yield Statement(query("open_within"), [params])
        rows.open_within[execution_id, within] = {row["interaction_id"] for row in found}


def _read_gone_owners(query: Query, rows: _KnownRows, transitions: Sequence[Transition]) -> Script[None]:
    """Which owners of executions that are to be recovered count as gone; one without a sign of life does."""
    recovered = {rows.home_of(each) for each in transitions if isinstance(each.ownership, Recovery)}
    owners = {state.owner for id_ in recovered if (state := rows.executions.get(id_)) is not None and state.owner}
    owners |= {each.writer for each in transitions if each.ownership is not None and rows.home_of(each) in recovered}
    for owner in owners:
        heartbeats = yield Statement(query("liveness"), [{"owner": owner}])
        if not heartbeats or Liveness.from_row(heartbeats[0]).is_gone:
            rows.gone_owners.add(owner)


def _read_already_recorded(query: Query, rows: _KnownRows, transitions: Sequence[Transition]) -> Script[set[str]]:
    """Which log lines of executions that have ended are stored: those came before, and come again."""
    over = [
        transition
        for transition in transitions
        if (state := rows.executions.get(rows.home_of(transition))) is not None and state.status.is_terminal
    ]
    lines = {line.log_id for transition in over for line in transition.logs}
    return {row["log_id"] for row in (yield from _with_ids(query("read_log_id"), "log_id", lines))}


def _decide(rows: _KnownRows, writes: _Writes, transition: Transition) -> WriteOutcome:
    execution_id = rows.execution_of(transition)
    before = rows.executions.get(execution_id)
    decision = decide(transition, rows.known_to(transition, execution_id))
    if transition.new is not None and before is None and transition.new.pipeline_id not in rows.pipelines:
        raise PipelineNotFound(transition.new.pipeline_id)
    if transition.new is not None and before is None:
        _repeat_once(rows, transition.new, decision.execution)
    if decision.changed:
        writes.add(transition, before, decision, rows.pipelines)
        rows.advance(decision)
    writes.add_deed(transition, decision.execution.execution_id)
    return decision.recorded


def _repeat_once(rows: _KnownRows, new: NewExecution, begun: ExecutionState) -> None:
    """Refuse a re-run that is not to be the second one; another in this batch is refused because of this one."""
    if new.rerun_of is None:
        return
    if new.unless_repeated and (repeat := rows.repeats.get(new.rerun_of)) is not None:
        raise AlreadyRepeated(new.rerun_of, rerun_id=repeat[0], status=repeat[1])
    rows.repeats[new.rerun_of] = (begun.execution_id, begun.status)


def _write(query: Query, writes: _Writes) -> Script[set[ExecutionId]]:
    """Write the rows; returns the executions whose rows were as known. Ids in order, so that no two can deadlock."""
    inserts = [writes.executions[id_] for id_ in sorted(writes.created)]
    advances = [writes.executions[id_] for id_ in sorted(writes.executions.keys() - writes.created)]
    returned = yield from _for_each(query("insert_execution"), inserts)
    returned += yield from _for_each(query("write_execution"), advances)
    written: set[ExecutionId] = {row["execution_id"] for row in returned}
    # What ended is written before what begins because of it, so that its time is not the later one.
    begun_here = [row["step_execution_id"] in writes.started for row in writes.updates]
    for name, rows in (
        ("insert_alias", writes.aliases),
        ("insert_request", writes.requests),
        ("insert_attribute", writes.attributes),
        ("write_spent", writes.spent),
        ("copy_step", writes.copies),
        ("copy_question", writes.copies),
        ("copy_answers", writes.copies),
        ("update_step", [row for row, later in zip(writes.updates, begun_here, strict=True) if not later]),
        ("start_step", writes.starts),
        ("update_step", [row for row, later in zip(writes.updates, begun_here, strict=True) if later]),
        ("write_usage", writes.usages),
        ("write_place", writes.places),
        ("insert_interaction", writes.asks),
        ("write_interaction", writes.questions),
        ("insert_response", writes.responses),
        ("insert_log", writes.logs),
        ("drop_output", writes.dropped),
    ):
        yield from _for_each(query(name), (row for row in rows if row["execution_id"] in written))
    yield from close(query, (row for row in writes.closings if row["execution_id"] in written))
    stale = writes.executions.keys() - written
    yield from _for_each(query("insert_audit"), (row for row in writes.deeds if row["execution_id"] not in stale))
    return written


def _with_ids(sql: str, column: str, ids: Iterable[str | None]) -> Script[list[dict[str, Any]]]:
    """The rows that have these ids, which come from outside: a text that is no id is the id of none."""
    return (yield from _for_each(sql, ({column: id_} for id_ in ids if is_id(id_))))


def _rest(query: Query, writes: _Writes, written: set[ExecutionId]) -> Script[set[ExecutionId]]:
    """Let those rest that wait now; returns the ones that have nothing to wait for any more."""
    resting = ({"execution_id": execution_id} for execution_id in sorted(writes.rests & written))
    rested = yield from _for_each(query("rest_execution"), resting)
    return {row["execution_id"] for row in rested if row["status"] == ExecutionStatus.PENDING}


def _group_failures(query: Query, writes: _Writes, written: set[ExecutionId]) -> Script[None]:
    """Keep what failures have in common, once for each kind, and which kind each is of."""
    rows: list[dict[str, Any]] = []
    for execution_id, transition, group in writes.failed:
        if execution_id not in written:
            continue
        if transition.change is not None and transition.change.finds_failed_step:
            for step in (yield Statement(query("first_failed_step"), [{"execution_id": execution_id}])):
                is_said = step["error_message"] is not None
                own = Failure(type=step["error_type"], message=step["error_message"]) if is_said else None
                group = grouped(step["step_id"], own or transition.change.failure)
        rows.append(
            {
                "execution_id": execution_id,
                "failure_group": group.id,
                "rule": RULE,
                "step_id": group.step_id,
                "error_type": group.error_type,
                "message": group.message,
            }
        )
    yield from _for_each(query("write_failure_group"), rows)
    rows.sort(key=lambda row: row["failure_group"])
    yield from _for_each(query("insert_failure_group"), rows)
    yield from _for_each(query("reopen_failure_group"), rows)


def _as_woken(outcome: WriteOutcome, woken: set[ExecutionId]) -> WriteOutcome:
    if isinstance(outcome, Recorded) and outcome.execution_id in woken and outcome.status in WAITING:
        return replace(outcome, status=ExecutionStatus.PENDING)
    return outcome


def _for_each(sql: str, rows: Iterable[Mapping[str, Any]]) -> Script[list[dict[str, Any]]]:
    rows = list(rows)
    return (yield Statement(sql, rows)) if rows else []
