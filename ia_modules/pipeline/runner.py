"""Running pipelines: from a file or a dict to a result, recorded in a journal while it happens."""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import orjson

from ia_modules.errors import (
    AlreadyFinished,
    AlreadyStarted,
    AnsweredInTime,
    ConstraintViolated,
    ExecutionCancelled,
    ExecutionIdConflict,
    ExecutionNotFound,
    InvalidArgument,
    LeaseLost,
    PipelineNotFound,
    PipelineNotRunnable,
    RunsElsewhere,
    StepConflict,
    StepError,
)
from ia_modules.models import (
    AttemptRecord,
    ExecutionId,
    ExecutionRecord,
    ExecutionStatus,
    Json,
    JsonText,
    Lease,
    LeftExecution,
    PipelineVersionRecord,
    RegisteredVersion,
    StepStatus,
    new_id,
)
from ia_modules.payload import encode
from ia_modules.pipeline.capture import CaptureRules, capture_rules
from ia_modules.pipeline.code import LoadedPipeline, load_pipeline
from ia_modules.pipeline.coordinator import Coordinator, Repeats, record_before
from ia_modules.pipeline.core import ExecutionContext
from ia_modules.pipeline.executor import LocalExecutor, StepExecutor
from ia_modules.pipeline.inputs import InputData, prepare_input
from ia_modules.pipeline.journal import Journal, LastingJournal
from ia_modules.pipeline.loader import in_format, load
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.outcome import recorded_end, recorded_result
from ia_modules.pipeline.overrides import overrides_of
from ia_modules.pipeline.pipeline_file import PipelineFile, read_file
from ia_modules.pipeline.recorded import is_elsewhere, recorded_runs, state_of
from ia_modules.pipeline.recovery import Recovered, recover
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.pipeline.start import find_started, new_execution, record_start, registered_version
from ia_modules.pipeline.step_modules import StepModules
from ia_modules.pipeline.versions import is_stored_as
from ia_modules.transitions import (
    PROCESS_LOST,
    REMOTE_GIVEN_UP,
    ExecutionUpdate,
    Failure,
    NewExecution,
    StepUpdate,
    Transition,
    cluster_in,
)

T = TypeVar("T")

__all__ = ["Pipeline", "Runner", "create_pipeline_from_json", "read_pipeline_file", "run_pipeline_from_json"]

TRACKER_SERVICE = "execution_tracker"
"""The service that, when it is there, keeps the records of a run."""

_LOOK_AGAIN_SECONDS = 1.0  # whether the process that runs it counts as gone by now


class Runner:
    """Runs pipelines and records them in one journal, any number of executions at the same time."""

    def __init__(
        self,
        journal: Journal,
        *,
        services: ServiceRegistry | None = None,
        executor: StepExecutor | None = None,
        draw: Callable[[], float] = random.random,
        capture: CaptureRules | None = None,
    ) -> None:
        """Record in a journal.

        Args:
            services: what steps find under ``self.services``.
            draw: uniform in [0, 1), for the delays of retries.
            capture: what goes on record of the steps' own logging and printing; None: what
                :func:`ia_modules.pipeline.capture.capture_rules` finds in the environment.

        Raises:
            InvalidArgument: the environment says something about it that has no meaning.
        """
        self._journal = journal
        self._services = services or ServiceRegistry()
        self._executor = executor or LocalExecutor()
        self._draw = draw
        self._capture = capture_rules() if capture is None else capture

    async def start(
        self,
        pipeline: LoadedPipeline,
        input_data: InputData | None = None,
        context: ExecutionContext | None = None,
        *,
        new_version: bool = False,
        version: RegisteredVersion | PipelineVersionRecord | None = None,
        resume: bool = False,
    ) -> "StartedExecution":
        """Record that an execution begins here.

        The version that is current for everybody stays so, whatever this runs; the first one becomes it.

        Args:
            version: the registered version that ``pipeline`` is; None: it is registered first.
            resume: where the context's ``execution_id`` stands for an execution that failed, was cancelled, or was left
                behind by a process whose lease has passed: go on with that one.

        Raises:
            PipelineInputError: the input is not what the pipeline asks for; nothing was recorded.
            PipelineConflict: another definition is registered under this slug; ``new_version`` makes this its next one.
            ExecutionIdConflict: the context's ``execution_id`` stands for another pipeline, input or version.
            AlreadyStarted: it stands for an execution that is not to be gone on with here.
        """

        async def begin(started: StartedExecution) -> StartedExecution:
            if started.new is not None:
                started.lease = await self._leased(self._recorded_start(started.new))
                started.new = None
            return started

        return await self._begin(
            begin, pipeline, input_data, context, new_version=new_version, version=version, resume=resume
        )

    async def run(
        self,
        pipeline: LoadedPipeline,
        input_data: InputData | None = None,
        context: ExecutionContext | None = None,
        *,
        new_version: bool = False,
        version: RegisteredVersion | PipelineVersionRecord | None = None,
        resume: bool = False,
    ) -> dict[str, Any]:
        """Run a pipeline here as far as it goes; returns its result. It begins on record together with its first steps.

        Where the context's ``execution_id`` stands for an execution already, it waits for that one, whoever runs it;
        one whose process is gone for its lease has failed as ``ProcessLost``.

        Raises:
            ExecutionFailed, ExecutionCancelled: that one did not complete, and was not to be gone on with.
            IAModulesError: as :meth:`start` and :meth:`to_end`.
        """
        while True:
            try:
                return await self._begin(
                    self.to_result,
                    pipeline,
                    input_data,
                    context,
                    new_version=new_version,
                    version=version,
                    resume=resume,
                )
            except AlreadyStarted as before:
                record = await self._at_rest(ExecutionId(before.execution_id))
                if record is not None and not (resume and _lost_its_process(record)):
                    return await recorded_end(self._journal, record)

    async def _begin(
        self,
        begin: "Callable[[StartedExecution], Awaitable[T]]",
        pipeline: LoadedPipeline,
        input_data: InputData | None,
        context: ExecutionContext | None,
        *,
        new_version: bool,
        version: RegisteredVersion | PipelineVersionRecord | None,
        resume: bool,
    ) -> T:
        """What ``begin`` makes of an execution that is not on record yet, or that is to be gone on with; as above."""
        definition, context = pipeline.definition, context or ExecutionContext()
        text = encode(prepare_input(definition, input_data), f"input of pipeline {definition.name!r}")
        while True:
            is_remembered = version is None and self._journal in pipeline.registered
            registered = version or await registered_version(self._journal, pipeline, new_version=new_version)
            known = await find_started(self._journal, context.execution_id, registered, text)
            if known is not None:
                return await begin(await self._go_on_with(known, pipeline, registered, resume=resume))
            new = await new_execution(
                self._journal,
                definition,
                registered,
                text,
                queued=False,
                alias=context.execution_id,
                trigger=context.trigger,
                metadata=context.stored_metadata,
            )
            lease, as_resumed = Lease(ExecutionId(new_id()), epoch=1), orjson.loads(text)
            started = StartedExecution(self, pipeline, lease, as_resumed, untouched=True, input_text=text, new=new)
            started.traceparent = new.traceparent
            try:
                return await begin(started)
            except (PipelineNotFound, ConstraintViolated):
                if started.new is None:
                    raise
                if is_remembered:  # it may have been deleted since
                    pipeline.registered.pop(self._journal, None)
                elif await find_started(self._journal, context.execution_id, registered, text) is None:
                    raise  # or else another process began it a moment ago

    async def resume(
        self,
        pipeline: LoadedPipeline,
        execution_id: ExecutionId,
        *,
        epoch: int | None = None,
        give_up_remote: bool = False,
    ) -> "StartedExecution":
        """Claim an execution that another process left, or one that failed or was cancelled, to continue it.

        Completed steps are not run again. Steps that had failed for good get all their attempts anew.

        Args:
            epoch: claim it only while this is its epoch; None: whatever that is.
            give_up_remote: attempts that run on a Ray cluster are lost, and made again; nothing stops their code there.

        Raises:
            ExecutionNotFound: there is no such execution.
            RunsElsewhere: an attempt runs on a Ray cluster that the executor is not joined to; nothing has changed.
            PipelineNotRunnable: no definition of it is on record: another program recorded it.
            InvalidArgument: ``pipeline`` is another definition than the one that it began with; nothing has changed.
            AlreadyFinished: it has completed.
            LeaseLost: somebody else has taken it since that epoch.
            StepConflict: its steps do not follow from its definition; nothing has changed.
        """
        record = await self._execution(execution_id)
        if record.pipeline_version is None:
            raise PipelineNotRunnable(record.pipeline_name)
        if record.status is ExecutionStatus.COMPLETED:
            raise AlreadyFinished("execution", execution_id, status=record.status, wanted="resumed")
        stored = await self._journal.get_pipeline_version(record.pipeline_id, record.pipeline_version)
        if stored is None or not is_stored_as(stored, pipeline.definition):
            found = f"another definition than the execution began with, version {record.pipeline_version}"
            raise InvalidArgument("pipeline", found, "that one: another would not fit what is on record")
        reopened = record.status.is_terminal
        attempts = await self._journal.get_attempts(execution_id)
        state_of(pipeline.graph, recorded_runs(attempts, reopened=reopened))
        if not give_up_remote:
            self._refuse_what_runs_elsewhere(execution_id, attempts)
        lease = await self._leased(self._taken_over(execution_id, epoch, give_up_remote=give_up_remote))
        repeats = Repeats(record.rerun_of, overrides_of(record.overrides))
        return StartedExecution(
            self, pipeline, lease, _as_input(record.input_data), repeats=repeats, traceparent=record.traceparent
        )

    def _refuse_what_runs_elsewhere(self, execution_id: ExecutionId, attempts: Iterable[AttemptRecord]) -> None:
        """Raises RunsElsewhere: an attempt runs on a cluster where this process cannot ask for it."""
        joined = self._executor.cluster
        for each in attempts:
            cluster = cluster_in(each.awaits)
            if is_elsewhere(each) and cluster is not None and cluster != joined:
                raise RunsElsewhere(execution_id, step_id=each.step_id, cluster=cluster, joined=joined)

    async def _taken_over(self, execution_id: ExecutionId, epoch: int | None, *, give_up_remote: bool) -> Lease:
        owner = self._journal.owner
        lease = await self._journal.take_over(execution_id, owner=owner, reopen=True, epoch=epoch)
        if give_up_remote:
            attempts = await self._journal.get_attempts(execution_id)
            ids = [each.step_execution_id for each in attempts if is_elsewhere(each)]
            lost = [StepUpdate(step_execution_id=id_, status=StepStatus.LOST, failure=REMOTE_GIVEN_UP) for id_ in ids]
            if lost:
                await self._journal.record(Transition(lease=lease, writer=owner, updates=tuple(lost)))
                self._executor.recorded(ids)
        return lease

    def claimed(
        self,
        pipeline: LoadedPipeline,
        input_data: Json,
        lease: Lease,
        *,
        untouched: bool = False,
        repeats: Repeats | None = None,
        traceparent: str | None = None,
    ) -> "StartedExecution":
        """An execution that a worker has claimed under this lease, to be continued from its records.

        When the task that runs it is cancelled, it goes back into the queue.

        Args:
            untouched: nothing has ever run of it, so that no attempts are looked for.
            repeats: which execution it repeats, and with which changes; None: none.
            traceparent: what it was begun in, as it is on record; None: nothing.
        """
        return StartedExecution(
            self,
            pipeline,
            lease,
            _as_input(input_data),
            managed=True,
            untouched=untouched,
            repeats=repeats,
            traceparent=traceparent,
        )

    async def to_end(self, started: "StartedExecution") -> ExecutionStatus:
        """Run a started execution as far as it goes here.

        Raises:
            StepError: a step failed, and with it the execution; its own exception is the cause.
            PipelineOutputError: the steps ran, but the output is not what was promised.
            ExecutionCancelled: its cancellation was requested.
            StepConflict: its steps do not follow from the definition; it has failed with that.
            LeaseLost: another process has claimed it.
            asyncio.CancelledError: this task was cancelled; so is the execution, on record, unless a worker claimed it.
        """
        return (await self._to_end(started))[0]

    async def to_result(self, started: "StartedExecution") -> dict[str, Any]:
        """The same; returns its result. What has run here from its beginning is not read again."""
        _, coordinator = await self._to_end(started)
        result = None if started.input_text is None else coordinator.result(started.input_text)
        return result or await recorded_result(self._journal, await self._execution(started.execution_id))

    async def _to_end(self, started: "StartedExecution") -> tuple[ExecutionStatus, Coordinator]:
        try:
            coordinator = await self._coordinator_of(started)
        except StepConflict as conflict:
            await self._fail(started, conflict)
            raise
        except asyncio.CancelledError as interrupted:
            await record_before(interrupted, self._give_up(started.lease, managed=started.managed))
            raise
        try:
            status = await coordinator.to_end()
        except AnsweredInTime:  # an answer came just before its deadline was written to have passed: nothing has run
            return await self._to_end(started)
        finally:
            started.new = None if coordinator.is_on_record else started.new
        if status is ExecutionStatus.PENDING and not started.managed:  # an answer came while other steps still ran here
            return await self._to_end(await self.resume(started.pipeline, started.execution_id))
        if status is ExecutionStatus.CANCELLED:
            raise ExecutionCancelled(started.execution_id)
        if status is ExecutionStatus.FAILED:
            raise coordinator.error or StepError("?", "the execution failed")
        return status, coordinator

    async def _go_on_with(
        self,
        known: ExecutionRecord,
        pipeline: LoadedPipeline,
        version: RegisteredVersion | PipelineVersionRecord,
        *,
        resume: bool,
    ) -> "StartedExecution":
        """Take an execution that was begun before, where nobody runs it and it is to be gone on with.

        Raises:
            AlreadyStarted: it is somebody's, waits for a person, or has ended and stays so.
            ExecutionIdConflict: it began with another version than this one.
        """
        execution_id, alias = known.execution_id, known.alias or known.execution_id
        if await self._journal.end_if_lost(known):
            known = await self._execution(execution_id)
        already_started = AlreadyStarted(alias, execution_id=execution_id, status=known.status)
        is_answered = known.status is ExecutionStatus.PENDING and not known.managed
        is_left = known.status in (ExecutionStatus.FAILED, ExecutionStatus.CANCELLED)
        if not (is_answered or (resume and is_left)):
            raise already_started
        if known.pipeline_version != version.version:
            found = (
                f"stands for an execution of version {known.pipeline_version}, and this is version {version.version}"
            )
            advice = f"Go on with the version that it began with, or: ia-modules executions resume {execution_id}"
            raise ExecutionIdConflict(alias, execution_id=execution_id, found=found, advice=advice)
        try:
            return await self.resume(pipeline, execution_id, epoch=known.epoch)
        except LeaseLost:  # another process was faster
            raise already_started from None

    async def _at_rest(self, execution_id: ExecutionId) -> ExecutionRecord | None:
        """An execution once it has ended or waits for a person; None: not yet, and its process may be gone by now."""
        try:
            async with asyncio.timeout(_LOOK_AGAIN_SECONDS):
                return await self._journal.wait(execution_id)
        except TimeoutError:
            return None

    async def _coordinator_of(self, started: "StartedExecution") -> Coordinator:
        attempts = [] if started.untouched else await self._journal.get_attempts(started.execution_id)
        started.untouched = False
        return Coordinator(
            started.pipeline,
            self._journal,
            started.lease,
            started.input_data,
            services=self._services,
            executor=self._executor,
            draw=self._draw,
            capture=self._capture,
            runs=recorded_runs(attempts) if attempts else (),
            managed=started.managed,
            new=started.new,
            repeats=started.repeats,
            traceparent=started.traceparent,
        )

    async def _recorded_start(self, new: NewExecution) -> Lease:
        return Lease(await record_start(self._journal, new), epoch=1)

    async def _leased(self, claim: Coroutine[Any, Any, Lease]) -> Lease:
        """The lease of an execution that begins to run here; cancelled meanwhile, it ends as cancelled, on record."""
        claiming = asyncio.create_task(claim, name="claim")

        async def give_up() -> None:
            await self._give_up(await claiming, managed=False)

        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError as interrupted:
            await record_before(interrupted, give_up())
            raise

    async def _give_up(self, lease: Lease, *, managed: bool) -> None:
        """Record that an execution, of which nothing runs here yet, is cancelled or goes back into the queue."""
        change = ExecutionUpdate(
            status=ExecutionStatus.PENDING if managed else ExecutionStatus.CANCELLED, released=managed
        )
        await self._journal.record(Transition(lease=lease, writer=self._journal.owner, change=change))

    async def _fail(self, started: "StartedExecution", conflict: StepConflict) -> None:
        """Record that an execution, which is this process's already, cannot be continued."""
        message = (
            f"Its recorded steps do not follow from the definition that it was to be continued with: step "
            f"{conflict.step_id!r} is recorded as {conflict.recorded}, and {conflict.replayed} was expected. Nothing "
            f"was run. Start it again from the beginning: ia-modules executions rerun {started.execution_id}"
        )
        change = ExecutionUpdate(status=ExecutionStatus.FAILED, failure=Failure(type="StepConflict", message=message))
        await self._journal.record(Transition(lease=started.lease, writer=self._journal.owner, change=change))

    async def _execution(self, execution_id: ExecutionId) -> ExecutionRecord:
        record = await self._journal.get_execution(execution_id)
        if record is None:
            raise ExecutionNotFound(execution_id)
        return record


@dataclass(slots=True)
class StartedExecution:
    """An execution that is this process's to run.

    Attributes:
        untouched: nothing has run of it yet, here or elsewhere.
        input_text: of one that began here, its input as it is stored; None of others.
        new: it is not on record yet, and begins with its first steps.
        traceparent: what it was begun in; None: nothing.
    """

    runner: Runner
    pipeline: LoadedPipeline
    lease: Lease
    input_data: dict[str, Any]
    managed: bool = False
    untouched: bool = False
    repeats: Repeats | None = None
    input_text: JsonText | None = None
    new: NewExecution | None = None
    traceparent: str | None = None

    @property
    def execution_id(self) -> ExecutionId:
        return self.lease.execution_id

    async def to_end(self) -> dict[str, Any]:
        """Run it as far as it goes here; raises as :meth:`Runner.to_end`."""
        return await self.runner.to_result(self)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline ready to be run, any number of times."""

    loaded: LoadedPipeline
    services: ServiceRegistry

    async def run(
        self,
        input_data: InputData | None = None,
        execution_context: ExecutionContext | None = None,
        *,
        new_version: bool = True,
        resume: bool = False,
        recover: bool = False,
    ) -> dict[str, Any]:
        """Run it to its end; returns ``{input, steps, output, execution_id, status}``.

        Recorded by the service ``execution_tracker`` where there is one, otherwise in memory. What has changed since it
        last ran is recorded as a new version; the one that is current for everybody else stays so.

        Args:
            new_version: False refuses to run what is another definition than its slug stands for.
            resume: as in :meth:`Runner.start`.
            recover: first do what :meth:`recover` does; what becomes of that is logged.

        Raises:
            PipelineConflict: without ``new_version``, another definition is registered under this slug.
            PipelineInputError: the input is not what the pipeline asks for; nothing was recorded.
            StepError: a step failed; its own exception is the cause.
            IAModulesError: of an ``execution_id`` of the caller's, as :meth:`Runner.run`.
        """
        if recover:
            await self.recover()
        runner = Runner(self.services.get(TRACKER_SERVICE) or MemoryJournal(), services=self.services)
        return await runner.run(self.loaded, input_data, execution_context, new_version=new_version, resume=resume)

    async def recover(self) -> Recovered:
        """Go on with what died of this pipeline, with this very definition, when the program that ran it did.

        Executions that programs of their own run, and whose process is gone for its lease or that ended as
        ``ProcessLost``, run to their end here, one after the other, the oldest first. No completed step runs twice; a
        step that was running does, with the same ``idempotency_key``. A process that is silent and not yet gone is
        waited for, at most for its lease. What fails again is in ``errors``, what was not touched in ``left``.

        Raises:
            InvalidArgument: there is no service ``execution_tracker``: without records nothing is left.
            DatabaseError: the database went away.
        """
        journal: LastingJournal | None = self.services.get(TRACKER_SERVICE)
        if journal is None:
            found = f"no service {TRACKER_SERVICE!r}"
            raise InvalidArgument("recovery", found, "one: without records, nothing is left of a process that died")
        runner = Runner(journal, services=self.services)

        async def go_on(left: LeftExecution) -> dict[str, Any]:
            return await (await runner.resume(self.loaded, left.lease.execution_id, epoch=left.lease.epoch)).to_end()

        return await recover(journal, self.loaded, go_on)


async def read_pipeline_file(
    pipeline_file: str | Path,
    *,
    working_directory: str | Path | None = None,
    allowed: tuple[str, ...] | None = None,
    format: str | None = None,  # noqa: A002 - the key's own name
) -> LoadedPipeline:
    """A pipeline file (JSON or YAML) with its code; modules beside it, or in ``working_directory``, come first.

    Args:
        format: ``0.2`` for a file of those releases that does not say so itself; None: as it says.

    Raises:
        PipelineDefinitionError: the file cannot be read or is wrong; with every problem and where it is.
    """
    file = await asyncio.to_thread(read_file, Path(pipeline_file), file_format=format)
    return load_file(file, working_directory=working_directory, allowed=allowed)


def load_file(
    file: PipelineFile, *, working_directory: str | Path | None = None, allowed: tuple[str, ...] | None = None
) -> LoadedPipeline:
    """The same from a file that was read."""
    folder = Path(os.path.abspath(working_directory or file.path.parent))  # noqa: PTH100 - links stay as they are
    with file.locating():
        read = load(file.document, strict=False)
        modules = StepModules(folder, allowed=allowed)
        return load_pipeline(read.definition, modules, folder=folder, document=file.document, warnings=read.warnings)


async def run_pipeline_from_json(
    pipeline_file: str | Path,
    input_data: InputData | None = None,
    services: ServiceRegistry | None = None,
    working_directory: str | Path | None = None,
    execution_context: ExecutionContext | None = None,
    *,
    new_version: bool = True,
    resume: bool = False,
    recover: bool = False,
    format: str | None = None,  # noqa: A002 - the key's own name
) -> dict[str, Any]:
    """Run a pipeline file to its end; as :meth:`Pipeline.run`; ``format`` and errors as :func:`read_pipeline_file`."""
    loaded = await read_pipeline_file(pipeline_file, working_directory=working_directory, format=format)
    pipeline = Pipeline(loaded, services or ServiceRegistry())
    return await pipeline.run(input_data, execution_context, new_version=new_version, resume=resume, recover=recover)


def create_pipeline_from_json(
    config: Mapping[str, Any],
    services: ServiceRegistry | None = None,
    *,
    format: str | None = None,  # noqa: A002 - the key's own name
) -> Pipeline:
    """A pipeline from a dict; its modules must be importable. ``format`` as for :func:`read_pipeline_file`.

    Raises:
        PipelineDefinitionError: the definition is wrong, or its code cannot be found; with every problem.
    """
    document = in_format(config, format)
    read = load(document, strict=False)
    loaded = load_pipeline(read.definition, StepModules(), document=document, warnings=read.warnings)
    return Pipeline(loaded, services or ServiceRegistry())


def _lost_its_process(record: ExecutionRecord) -> bool:
    return record.status is ExecutionStatus.FAILED and record.error_type == PROCESS_LOST.type


def _as_input(input_data: Json) -> dict[str, Any]:
    return cast("dict[str, Any]", input_data or {})
