"""One turn of an execution, as values: what has happened, what that makes true, and the attempts that begin then.

    what happened → graph_turn, waits_turn (pure) → one Batch → on record → what begins

The course of the execution is changed by these deciders alone; what they decide beside that, they return.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self, cast

from msgspec import Struct
from msgspec.structs import replace

from ia_modules.errors import Problem, StepError
from ia_modules.models import (
    ExecutionId,
    ExecutionStatus,
    Json,
    JsonText,
    LogLevel,
    StepExecutionId,
    StepStatus,
    new_id,
)
from ia_modules.payload import clean_text, encode
from ia_modules.pipeline.attempt import Outcome, Work, prepare
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.document.scope import RunFacts, Scope
from ia_modules.pipeline.merging import Conflict, conflicts, in_branches, lost_update, overwritten
from ia_modules.pipeline.overrides import Override
from ia_modules.pipeline.reads import Reads
from ia_modules.pipeline.recorded import RecordedRun, in_order_of_descent, refs_after_one, refs_json, state_of
from ia_modules.pipeline.results import Scopes
from ia_modules.pipeline.tokens import Route, Start, StepRun, StepRunKey, verdict
from ia_modules.transitions import Expiry, FailedStep, LogLine, NewInteraction, StepStart, StepUpdate

LONGEST_WAIT_SECONDS = 100 * 365.25 * 86_400.0
"""Beyond it no calendar of a database goes: who waits for longer waits for ever."""


class Begin(Struct, frozen=True):
    """A step run whose next attempt begins.

    Attributes:
        refused: why it cannot even begin; it is on record, and fails with that.
        delay_seconds: it begins so long after it is on record, or from now on where it is on record already.
        on_record: it is, and has not begun; or it runs elsewhere.
        cluster: where it runs already; None: nowhere.
    """

    key: StepRunKey
    refused: StepError | None = None
    delay_seconds: float = 0.0
    on_record: StepExecutionId | None = None
    cluster: str | None = None


class Attempt(Struct, frozen=True):
    """An attempt that is to be recorded and made.

    Attributes:
        lines: what is wrong with its input and keeps it from nothing.
        again_upto: what it calls within itself is made again where it completed in an attempt up to this one.
        cluster: where it runs already, so that it does not begin; None: nowhere.
    """

    key: StepRunKey
    start: StepStart
    work: Work
    lines: tuple[LogLine, ...]
    delay_seconds: float = 0.0
    is_on_record: bool = False
    again_upto: int = 0
    cluster: str | None = None


class Answered(Struct, frozen=True):
    """A waiting attempt whose question is over: the functions on its paths are asked, and then it has ended."""

    key: StepRunKey
    attempt: StepExecutionId
    outcome: Outcome


class Due(Struct, frozen=True):
    """It has happened that the delay of an attempt is over."""

    attempt: Attempt


class MapWaits(Struct, frozen=True):
    """Nothing of a map can be done now.

    Attributes:
        asks: some of its items wait for people.
        seconds: after so long the delay of an item is over; None: none has one.
    """

    asks: bool
    seconds: float | None = None


class Ended(Struct, frozen=True):
    """It has happened that an attempt is over.

    Attributes:
        scope: what was known before it.
        outcome: what came of it; None: it was stopped.
        lines: what it logged that is not on record yet.
        progress: the same of its progress and its usage.
        within: what was called within it and is left open.
        is_elsewhere: it is on record that it outlives its owner, so that stopping it here may have ended nothing.
    """

    key: StepRunKey
    attempt: StepExecutionId
    scope: Scope
    outcome: Outcome | None
    lines: tuple[LogLine, ...] = ()
    progress: StepUpdate | None = None
    within: tuple[StepUpdate, ...] = ()
    is_elsewhere: bool = False


class Paused(Struct, frozen=True):
    """It has happened that an attempt only waits for parts of it: it is on record as waiting until it goes on.

    Attributes:
        instead: what it is where nothing goes on: stopped.
    """

    attempt: Attempt
    waits: MapWaits
    instead: Ended


class Batch:
    """What becomes true at once, and what begins when it is on record.

    Attributes:
        begins: the step runs whose next attempt is recorded, and made.
        due: recorded attempts that begin now.
        delays: recorded attempts that go on by themselves later.
        answered: waiting attempts that go on.
    """

    __slots__ = ("answered", "asks", "begins", "delays", "due", "expires", "logs", "updates")

    def __init__(self) -> None:
        """Nothing."""
        self.updates: list[StepUpdate] = []
        self.logs: list[LogLine] = []
        self.asks: list[NewInteraction] = []
        self.expires: list[Expiry] = []
        self.begins: list[Begin] = []
        self.due: list[Attempt] = []
        self.delays: list[Attempt] = []
        self.answered: list[Answered] = []

    def joined(self, later: "Batch") -> Self:
        """This one, and from here on what the other has too, after its own."""
        self.updates += later.updates
        self.logs += later.logs
        self.asks += later.asks
        self.expires += later.expires
        self.begins += later.begins
        self.due += later.due
        self.delays += later.delays
        self.answered += later.answered
        return self

    def without_beginnings(self) -> "Batch":
        """The same, of which nothing begins."""
        kept = Batch()
        kept.updates, kept.logs, kept.asks, kept.expires = self.updates, self.logs, self.asks, self.expires
        return kept


class Completed(NamedTuple):
    """A step run that has led on here.

    Attributes:
        result: as it is stored.
        turn: in which turn; what ends in one is recorded together.
    """

    key: StepRunKey
    status: StepStatus
    result: JsonText
    turn: int


@dataclass(slots=True)
class _Attempts:
    """The attempts of a step run so far. ``failures`` leaves out those that were lost with their process.

    ``last_failed``: the number of the newest that failed; 0: none has. ``losses``: how many of the newest ones were
    lost elsewhere, one after the other.
    """

    made: int = 0
    failures: int = 0
    last_failed: int = 0
    losses: int = 0


class Course:
    """What is known of one running execution: its records, and what came since.

    Attributes:
        runs: the step runs that were on record when it was taken up.
        overrides: what is decided of single step runs before they begin.
        tokens: where it stands in the graph.
        results: of the step runs that have one; of those that were on record before, the ones that were read.
        turns: how many there were here.
        completed: what has led on here, in the order of its ends.
        output: of an execution that has completed here, encoded.
        error: why it failed; None unless it did so here.
        failed_step: the step that this came from; None: none did.
        loop_began: when each loop began, by step, on the clock of ``now``; what does not count lies before it.
        wakes_at: when the delay of each step run that waits for one is over, on the same clock.
        asking: the step runs of which parts wait for people, while they wait themselves.
    """

    def __init__(
        self,
        pipeline: LoadedPipeline,
        input_data: Mapping[str, Any],
        runs: Iterable[RecordedRun] = (),
        *,
        execution_id: ExecutionId,
        overrides: Mapping[StepRunKey, Override] | None = None,
    ) -> None:
        """Take up an execution.

        Args:
            input_data: its input, with the defaults of the parameters.
            overrides: what stands in the place of single step runs; None: nothing does.

        Raises:
            StepConflict: the step runs do not follow from this definition.
        """
        self.pipeline, self.input_data, self.runs = pipeline, input_data, list(runs)
        self._execution_id, self.overrides = execution_id, overrides or {}
        self.tokens = state_of(pipeline.graph, self.runs)
        self.results: dict[StepRunKey, Mapping[str, Any]] = {}
        self._unread = {run.run.key: run.last.step_execution_id for run in self.runs if run.has_result}
        self.turns = 0
        self.completed: list[Completed] = []
        self.output: JsonText | None = None
        self.error: Exception | None = None
        self.failed_step: FailedStep | None = None
        self.loop_began: dict[str, float] = {}
        self.wakes_at: dict[StepRunKey, float] = {}
        self.asking: set[StepRunKey] = set()
        self._scopes = Scopes(self.tokens, input_data, self.results)
        self._attempts = {
            run.run.key: _Attempts(run.attempts, run.failures, run.last_failed, run.losses) for run in self.runs
        }

    def scope(self, key: StepRunKey) -> Scope:
        """What is known before a step run, its newest attempt included, as far as it reads that."""
        is_bare = not self.pipeline.graph.has_own_run
        facts = RunFacts(key.iteration, self._attempts[key].made, self._execution_id, is_bare=is_bare)
        return self._scopes.before(self.tokens.runs[key].parents, self._reads_of(key.step_id)).of_run(facts)

    def needs(self, batch: Batch) -> dict[StepRunKey, StepExecutionId]:
        """Results on record that are not read yet and that a batch needs, with the attempts that gave them.

        An execution that has completed needs them all.
        """
        if not self._unread:
            return {}
        if verdict(self.tokens) is ExecutionStatus.COMPLETED:
            return dict(self._unread)
        needed: set[StepRunKey] = set()
        for each in (*batch.begins, *batch.answered):
            parents = self.tokens.runs[each.key].parents
            needed.update(self._scopes.needs(parents, self._reads_of(each.key.step_id)))
            needed.update(run for run, _ in in_branches(self.tokens, parents))
        return {need: self._unread[need] for need in needed if need in self._unread}

    def read(self, needs: Mapping[StepRunKey, StepExecutionId], outputs: Mapping[StepExecutionId, Json]) -> None:
        """These results are at hand from here on."""
        for key, attempt in needs.items():
            self.results[key] = cast("dict[str, Any]", outputs[attempt])
            del self._unread[key]

    def _reads_of(self, step_id: str) -> Reads:
        return self.pipeline.facts[step_id].reads

    def note(self, key: StepRunKey, status: StepStatus) -> None:
        """A step run has another status; nothing leads on from it yet."""
        known = self.tokens.runs[key]
        self.tokens.record(StepRun(key, status, known.parents, known.routes))

    def end(self, key: StepRunKey, status: StepStatus, outcome: Outcome, routes: tuple[Route, ...]) -> None:
        """A step run has a result, and leads on."""
        assert outcome.result is not None
        assert outcome.stored is not None
        self.results[key] = outcome.result
        self.completed.append(Completed(key, status, outcome.stored, self.turns))
        self.tokens.record(StepRun(key, status, self.tokens.runs[key].parents, routes))

    def start(self, start: Start, *, refused: StepError | None, delay_seconds: float) -> Begin:
        """The first attempt of a step run, at once or after a delay."""
        status = StepStatus.PENDING if delay_seconds > 0 else StepStatus.RUNNING
        self.tokens.record(StepRun(start.key, status, start.parents))
        return Begin(start.key, refused, delay_seconds)

    def begin(self, key: StepRunKey, *, refused: StepError | None = None, delay_seconds: float = 0.0) -> Begin:
        """The next attempt of a step run, at once or after a delay."""
        self.note(key, StepStatus.PENDING if delay_seconds > 0 else StepStatus.RUNNING)
        return Begin(key, refused, delay_seconds)

    def begin_again(self, key: StepRunKey, *, delay_seconds: float) -> Begin:
        """The same after a failure, which counts."""
        attempts = self._attempts[key]
        attempts.failures += 1
        attempts.last_failed, attempts.losses = attempts.made, 0
        return self.begin(key, delay_seconds=delay_seconds)

    def begin_after_loss(self, key: StepRunKey) -> Begin:
        """The same at once after the newest was lost elsewhere, which is no failure."""
        self._attempts[key].losses += 1
        return self.begin(key)

    def in_order_of_completion(self) -> list[Completed]:
        """What has led on here, as :func:`ia_modules.pipeline.recorded.in_order_of_completion` has it by its rows."""
        if len({each.turn for each in self.completed}) < len(self.completed):  # some were recorded together
            runs = self.tokens.runs
            order = in_order_of_descent({key: runs[key].parents for key in sorted(runs)})
            place = {key: number for number, key in enumerate(order)}
            return sorted(self.completed, key=lambda each: (each.turn, place[each.key]))
        return self.completed

    def leave_out(self, seconds: float) -> None:
        """Time that does not count for the limit of any loop: nothing ran."""
        self.loop_began = {step_id: began + seconds for step_id, began in self.loop_began.items()}

    def attempt(self, begin: Begin, *, worker: str, now: float) -> Attempt:
        """The attempt that begins, as it is recorded and made; makes the step's object."""
        run, facts = self.tokens.runs[begin.key], self.pipeline.facts[begin.key.step_id]
        definition = facts.definition
        attempts = self._attempts.setdefault(begin.key, _Attempts())
        attempts.made += begin.on_record is None
        scope = self.scope(begin.key)
        meeting = self._meeting(begin.key) if len(run.parents) > 1 else []
        refused = begin.refused or (lost_update(definition.id, meeting) if meeting else None)
        override = self.overrides.get(begin.key) if self.overrides else None
        work = prepare(self.pipeline, facts, scope, failures=attempts.failures, refused=refused, override=override)
        if attempts.losses or begin.cluster is not None:
            work = replace(work, losses=attempts.losses, rejoins=begin.cluster is not None)
        retry = work.handling.retry
        again_upto = attempts.last_failed if retry is not None and retry.inner == "again" else 0
        if begin.delay_seconds > 0:
            self.wakes_at[begin.key] = now + begin.delay_seconds
        else:
            self.wakes_at.pop(begin.key, None)
        attempt, missing = begin.on_record or StepExecutionId(new_id()), work.input.left_out
        start = StepStart(
            step_execution_id=attempt,
            step_id=definition.id,
            step_name=definition.name,
            step_type=definition.type,
            iteration=begin.key.iteration,
            attempt=attempts.made,
            status=StepStatus.PENDING if begin.delay_seconds > 0 else StepStatus.RUNNING,
            worker=worker,
            input_data=work.stored,
            input_refs=refs_after_one(run.parents[0], is_state=work.input.is_state)
            if len(run.parents) == 1 and not missing and override is None and work.items is None
            else encode(
                refs_json(
                    run.parents,
                    is_state=work.input.is_state,
                    left_out=missing,
                    override=override,
                    items=None if work.items is None else len(work.items),
                ),
                "parents",
            ),
            effect=definition.known_effect,
            wake_after_seconds=min(begin.delay_seconds, LONGEST_WAIT_SECONDS) if begin.delay_seconds > 0 else None,
        )
        if begin.on_record is not None:
            return Attempt(
                begin.key,
                start,
                work,
                (),
                begin.delay_seconds,
                is_on_record=True,
                again_upto=again_upto,
                cluster=begin.cluster,
            )
        lines: list[LogLine] = []
        if missing or work.input.mismatches or meeting:
            left_out = (f"Input left out: {problem}" for problem in missing)
            lines = [
                *(LogLine(log_id=new_id(), message=message, step_execution_id=attempt) for message in left_out),
                *warnings("Input that its schema refuses", work.input.mismatches, attempt),
                *warnings("Overwritten", overwritten(meeting) if attempts.made == 1 else (), attempt),
            ]
        return Attempt(begin.key, start, work, tuple(lines), begin.delay_seconds, again_upto=again_upto)

    def _meeting(self, key: StepRunKey) -> list[Conflict]:
        """The keys that meet in a step run from more than one branch."""
        return conflicts(self.tokens, self.tokens.runs[key].parents, self.results.__getitem__)


def with_progress(update: StepUpdate, progress: StepUpdate | None) -> StepUpdate:
    """The update, with what is not on record yet of how far the attempt is, and of what it has used."""
    if progress is None:
        return update
    return replace(update, progress=progress.progress, progress_message=progress.progress_message, usage=progress.usage)


def warnings(what: str, problems: Iterable[Problem | str], attempt: StepExecutionId | None = None) -> list[LogLine]:
    """Lines for what is wrong and keeps nothing from running; ``attempt`` None: of the execution itself."""
    return [
        LogLine(
            log_id=new_id(), message=clean_text(f"{what}: {each}"), level=LogLevel.WARNING, step_execution_id=attempt
        )
        for each in problems
    ]
