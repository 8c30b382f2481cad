"""The tracker: every execution and every step on record, while it happens.

:class:`ExecutionTracker` is the truth of what ran. It writes each transition to the database and answers only from
there; what it knows of running executions only spares reading before a write. It is the journal of the runner, and
records any other program too:

    async with tracker.execution(pipeline_id, input_data={"day": "2026-11-24"}) as execution:
        async with execution.step("download") as step:
            step.output = {"rows": 3}
"""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from types import TracebackType
from typing import Self

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import (
    DatabaseBusy,
    DatabaseClosed,
    DatabaseUnavailable,
    ExecutionIsCopy,
    ExecutionNotFound,
    InteractionNotFound,
)
from ia_modules.live.output import OutputReading
from ia_modules.live.wake_up import Live
from ia_modules.models import (
    Changes,
    ExecutionId,
    ExecutionRecord,
    ExecutionStatus,
    Json,
    Lease,
    LeftExecution,
    PipelineId,
    PipelineRecord,
    RegisteredVersion,
    StalledExecution,
    VersionOrigin,
    sought_id,
)
from ia_modules.ownership import recovery_of
from ia_modules.payload import (
    PAYLOAD_LIMIT_BYTES,
    check_id,
    check_name,
    clean_text,
)
from ia_modules.pieces import OutputPage, OutputPiece
from ia_modules.tasks import set_within
from ia_modules.tracker.cancellation import Cancellations
from ia_modules.tracker.known import KNOWN_EXECUTIONS
from ia_modules.tracker.left_behind import left_behind
from ia_modules.tracker.offers import DefinitionOwner
from ia_modules.tracker.ownership import Ownership
from ia_modules.tracker.recording import RecordedExecution
from ia_modules.tracker.registration import Choice, Registration, choose, definition_owner, register
from ia_modules.tracker.responses import checked_actor
from ia_modules.tracker.tracing import TraceWriter
from ia_modules.tracker.writer import ExecutionWriter
from ia_modules.transitions import Answer, Assignment, Deed, RequestCancel, TakeOver, Transition

_CLOSE_SECONDS = 2.0  # for the last answers to arrive
_LINES_AT_ONCE = 16  # of output, a megabyte at most: so much of it a follower who is behind has in memory
_LOOK_EVERY_SECONDS = 1.0  # only a wake-up that got lost needs it


class ExecutionTracker(ExecutionWriter):
    """Every execution and step on record. One per process is enough; use it from the tasks of one event loop."""

    def __init__(
        self,
        database: DatabaseManager,
        *,
        payload_limit_bytes: int = PAYLOAD_LIMIT_BYTES,
        give_up_seconds: float = 15.0,
        lease_seconds: float | None = 15.0,
        known_executions: int = KNOWN_EXECUTIONS,
        traces: TraceWriter | None = None,
    ) -> None:
        """Record into a database.

        Args:
            database: initialized; the caller closes it, after this tracker.
            payload_limit_bytes: the largest input, output or metadata, as JSON.
            give_up_seconds: how long a write is tried again while the database is unreachable or busy.
            lease_seconds: how long this process may be silent before what it runs is given to others; it gives signs
                of life from the first execution that it runs. None: it gives none, and nothing is taken from it.
            known_executions: of how many executions that run here it is kept in memory where they stand, so that they
                need not be read before each write (about 2 KB each); 0: of none.
            traces: what writes the executions as spans, a :class:`ia_modules.traces.otel.Traces`; None: nothing does.
        """
        super().__init__(
            database,
            payload_limit_bytes=payload_limit_bytes,
            give_up_seconds=give_up_seconds,
            lease_seconds=lease_seconds,
            known_executions=known_executions,
            traces=traces,
        )
        self._give_up_seconds = give_up_seconds
        self.ownership = Ownership(database, self.owner, on_commit=self._committed, adopt=self._committer.adopt)
        self._cancellations = Cancellations(database, self.owner)
        self._output_reading = OutputReading(self._some_output)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Finish what is being written; tell other processes of it.

        What a database that does not answer has not taken when its writers give up is left.
        """
        writing = asyncio.create_task(self._committer.close())
        await asyncio.wait([writing], timeout=self._give_up_seconds + _CLOSE_SECONDS)
        if writing.done():
            writing.result()
        writing.cancel()
        if self._tracing is not None:
            await self._tracing.close()
        await self._cancellations.close()
        if self.heartbeat is not None:
            await self.heartbeat.end()
        await self._live.close()

    @property
    def live(self) -> Live:
        """Wakes who watches executions. What is written past this tracker is to be told to it: ``live.committed``."""
        return self._live

    # Pipelines

    async def register_pipeline(
        self,
        slug: str,
        name: str,
        definition: Json = None,
        *,
        description: str | None = None,
        source_folder: str | None = None,
        new_version: bool = False,
    ) -> PipelineId:
        """The id of the pipeline with this slug; as :meth:`register_version`, for callers that need no version."""
        registered = await self.register_version(
            slug, name, definition, description=description, source_folder=source_folder, new_version=new_version
        )
        return registered.pipeline_id

    async def register_version(
        self,
        slug: str,
        name: str,
        definition: Json = None,
        *,
        description: str | None = None,
        source_folder: str | None = None,
        new_version: bool = False,
        make_current: bool = True,
        base_version: int | None = None,
        stale_beside: bool = False,
        file: str | None = None,
        origin: VersionOrigin = "program",
        author: str | None = None,
        note: str | None = None,
        deed: Deed | None = None,
    ) -> RegisteredVersion:
        """The pipeline with this slug, made when there is none, and the version that this definition is of it.

        The same content is the same version. Name and description are the current version's.

        Args:
            description: None leaves the one that stands; an empty one takes it away.
            source_folder: where its modules lie; a version that has none yet learns it.
            make_current: False leaves the current version, where there is one.
            base_version: store nothing unless this is the current version; None: do not look.
            stale_beside: where ``base_version`` is not the current version any more, store it all the same, beside the
                current one, which stays that.
            file: the path of the pipeline file that the definition stands in. Then it becomes the current version when
                the file has changed and nobody has chosen another since: see
                :func:`ia_modules.tracker.offers.decide_offer`. Not promised when hosts' clocks differ by more than the
                time between two registrations.
            origin: where it comes from; with ``file`` always that.
            author, note: who made it and what for; kept with a version that is new. None: nobody said.
            deed: whose request it is, for the audit log, in the same transaction; what one with the same key has stored
                before is returned, and nothing is.

        Raises:
            PipelineConflict: the slug has other definitions, and this was not said to be a new version.
            StaleVersion: ``base_version`` is not the current one, without ``stale_beside``.
            PayloadError: the definition is not JSON.
        """
        author = None if author is None else check_name(author, "name of the author")
        registration = Registration(
            slug=check_id(slug, "slug of the pipeline"),
            name=check_name(name, f"name of pipeline {slug!r}"),
            description=None if description is None else clean_text(description),
            definition=None if definition is None else self._encode(definition, f"definition of pipeline {slug!r}"),
            source_folder=None if source_folder is None else clean_text(source_folder),
            file=None if file is None else clean_text(os.path.abspath(file)),  # noqa: ASYNC240, PTH100 - touches no disk
            origin="file" if file is not None else origin,
            author=author,
            note=None if note is None else clean_text(note),
            actor=author or self.owner,
            deed=deed,
        )
        script = register(
            self._database.query,
            registration,
            new_version=new_version,
            base_version=base_version,
            stale_beside=stale_beside,
            make_current=make_current,
        )
        return await self._database.run(script)

    async def choose_version(
        self,
        pipeline: PipelineRecord,
        version: int,
        *,
        name: str,
        description: str | None = None,
        base_version: int | None = None,
        origin: VersionOrigin = "program",
        idempotency_key: str | None = None,
        actor: str | None = None,
    ) -> RegisteredVersion:
        """Make a version that is there the current one, or confirm that it is; what stands beside it is then decided.

        Args:
            name, description: those of its definition, which become the pipeline's; None leaves the description.
            base_version: change nothing unless this is the current version; None: do not look.
            idempotency_key: names the request: sent again, it changes nothing, whatever was chosen since.
            actor: who chooses; None: this process.

        Raises:
            PipelineNotFound, PipelineVersionNotFound
            StaleVersion: ``base_version`` is not the current one.
        """
        choice = Choice(
            pipeline_id=pipeline.id,
            slug=pipeline.slug,
            version=version,
            name=check_name(name, f"name of pipeline {pipeline.slug!r}"),
            description=None if description is None else clean_text(description),
            base_version=base_version,
            origin=origin,
            actor=check_name(actor or self.owner, "name of the actor"),
            idempotency_key=idempotency_key,
        )
        return await self._database.run(choose(self._database.query, choice))

    async def definition_owner(self, pipeline_id: PipelineId) -> DefinitionOwner:
        """Who owns a pipeline's definition: a file, a page or a program; and what is stored beside the current one."""
        return await self._database.read(definition_owner(self._database.query, pipeline_id))

    async def take_over(
        self, execution_id: str, *, owner: str | None = None, reopen: bool = False, epoch: int | None = None
    ) -> Lease:
        """Make this process (or ``owner``) the one that may write an unfinished execution; returns its lease.

        From here on, writes under an older lease raise ``LeaseLost``.

        Args:
            reopen: it runs from here on, also when it had failed or was cancelled.
            epoch: take it only while this is its epoch; None: whatever that is.

        Raises:
            ExecutionNotFound
            LeaseLost: somebody else has taken it since that epoch.
            AlreadyFinished: it has ended; with ``reopen``: it has completed.
            ExecutionIsCopy: it came from a run file.
        """
        taken_id = await self._row_id(execution_id)
        if reopen and await self.is_copy(taken_id):
            raise ExecutionIsCopy(taken_id)
        writer = check_id(owner or self.owner, "owner")
        if writer == self.owner:
            await self._show_life()
        change, lease = TakeOver(reopen=reopen), None if epoch is None else Lease(taken_id, epoch)
        transition = Transition(execution_id=taken_id, lease=lease, writer=writer, ownership=change)
        taken = await self._committer.record(transition)
        if writer == self.owner:
            self.ownership.held.add(taken.lease)
        return taken.lease

    async def end_if_lost(self, execution: ExecutionRecord) -> bool:
        """End an execution that no worker runs, as ``ProcessLost``, where the process that ran it counts as gone.

        What was to be cancelled becomes ``cancelled``.

        Returns:
            False: it lives as far as anybody knows, workers run it, or somebody else has written it since.
        """
        if (
            execution.managed
            or execution.status is not ExecutionStatus.RUNNING
            or execution.owner in (None, self.owner)
        ):
            return False
        liveness = await self.liveness(execution.owner)
        if liveness is None or not liveness.is_gone:
            return False
        stalled = StalledExecution.of(execution, is_elsewhere=False)  # that of a program ends with it, wherever it ran
        return await self.ownership.recover(stalled, recovery_of(stalled, recovery_limit=0, died=True))

    def left_behind(self, slug: str) -> AsyncIterator[LeftExecution]:
        """What programs of their own have left of a pipeline; as :func:`ia_modules.tracker.left_behind.left_behind`."""
        return left_behind(self._database, self.owner, slug)

    async def request_cancel(self, execution_id: str, *, deed: Deed | None = None) -> ExecutionStatus:
        """Ask for an execution to be stopped, whoever runs it; what nobody runs is cancelled at once.

        Args:
            deed: who asks for it and why, for the audit log, in the same transaction.

        Returns:
            Its status now: ``cancelled``, or ``running`` until its owner has stopped it.

        Raises:
            ExecutionNotFound
            AlreadyFinished: it has ended; says how and when.
        """
        cancelled_id = await self._row_id(execution_id)
        requested = await self._committer.record(
            Transition(execution_id=cancelled_id, writer=self.owner, ownership=RequestCancel(deed))
        )
        self._cancellations.request(cancelled_id)
        return requested.status

    def watch_cancellation(self, execution_id: ExecutionId, on_request: Callable[[], object]) -> Callable[[], None]:
        """Call ``on_request``, on the loop, when the cancellation of an execution that this process runs is asked for.

        By any process, and perhaps more than once. Returns what ends the watch; after that it is not called any more.
        """
        return self._cancellations.watch(execution_id, on_request)

    async def answer_interaction(
        self, interaction_id: str, response: Json, *, actor: str, verified: bool = False, deed: Deed | None = None
    ) -> ExecutionId:
        """Keep a person's answer; an execution that waited for people only becomes ``pending`` when that decides it.

        The same answer by the same person again changes nothing, also when the question is not open any more. Another
        one, while it is, is a further revision: the newest of a person counts, and all stay on record. Whether it fits
        the question, and who may answer, is looked at in ``Client.answer``.

        Args:
            verified: the name is that of a key.
            deed: for the audit log, in the same transaction, where it changes something.

        Raises:
            InteractionNotFound
            AlreadyAnswered: it is not open any more; names who answered, and when.
            PayloadError: the answer is not JSON.
        """
        actor, text = checked_actor(actor), self._encode(response, "answer")
        answer = Answer(interaction_id=interaction_id, actor=actor, response=text, verified=verified, deed=deed)
        return await self._record_answer(answer, actor)

    async def assign_interaction(
        self, interaction_id: str, users: Iterable[str], *, actor: str, deed: Deed | None = None
    ) -> ExecutionId:
        """Let others answer a question, by name; nobody: it is assigned to nobody by name.

        What was answered stays, and where that is enough now, it is decided.

        Args:
            deed: for the audit log, in the same transaction, where it changes something.

        Raises:
            InteractionNotFound
            AlreadyAnswered: it is not open any more.
            TooFewUsers: they could never decide it.
            PayloadError: a name cannot be stored.
        """
        names = tuple(check_name(user, "name of who is to answer") for user in users)
        return await self._record_answer(Assignment(interaction_id=interaction_id, users=names, deed=deed), actor)

    async def _record_answer(self, change: Answer | Assignment, actor: str) -> ExecutionId:
        rows = await self._rows_of("read_interaction", interaction_id=sought_id(change.interaction_id))
        if not rows:
            raise InteractionNotFound(change.interaction_id)
        execution_id = ExecutionId(rows[0]["execution_id"])
        await self._committer.record(Transition(execution_id=execution_id, writer=actor, answer=change))
        return execution_id

    async def wait(self, execution_id: str) -> ExecutionRecord:
        """Wait until an execution has ended or waits for a person, whoever runs it; as it stands then.

        Raises:
            ExecutionNotFound
        """
        awaited_id = await self._row_id(execution_id)
        async with self._live.watching(awaited_id) as look:
            while True:
                look.clear()
                summary = await self.get_execution_summary(awaited_id)
                if summary is None:
                    raise ExecutionNotFound(execution_id)
                if summary.status.is_at_rest and (record := await self.get_execution(awaited_id)) is not None:
                    return record
                await set_within(_LOOK_EVERY_SECONDS, look)

    def execution(
        self,
        pipeline_id: str,
        *,
        pipeline_name: str | None = None,
        input_data: Json = None,
        total_steps: int = 0,
        metadata: Json = None,
    ) -> RecordedExecution:
        """``async with`` this to record a program: how it ended, its result, its exception, its cancellation."""
        return RecordedExecution(
            self,
            pipeline_id,
            pipeline_name=pipeline_name,
            input_data=input_data,
            total_steps=total_steps,
            metadata=metadata,
        )

    async def subscribe(
        self, execution_id: str, after: int = 0, *, poll_seconds: float = 1.0
    ) -> AsyncGenerator[Changes]:
        """What came after the cursor, then what comes, for as long as it is iterated.

        Pages in rising order, each beginning where the last ended; what happens while the reader is busy arrives
        merged. The stream does not end by itself: ``changes.execution.status.is_terminal`` says that it is over. A
        database that is away for a while only delays it.

        Args:
            poll_seconds: how often to look without being told; only a wake-up that got lost needs it.

        Raises:
            ExecutionNotFound: there is none, or it was deleted meanwhile.
            DatabaseUnavailable: the database cannot be reached at the beginning, or was closed in this process.
        """
        shown: Changes | None = None
        followed_id = await self._row_id(execution_id)
        async with self._live.watching(followed_id) as look:
            while True:
                look.clear()
                try:
                    changes = await self.changes(followed_id, after)
                except (DatabaseUnavailable, DatabaseBusy) as error:
                    if shown is None or isinstance(error, DatabaseClosed):
                        raise
                    changes = shown  # the database is away for a while: nothing is lost by looking again later
                shown = changes
                if changes.upto > after:
                    after = changes.upto
                    yield changes
                if not changes.more:
                    await set_within(poll_seconds, look)

    async def stream(
        self,
        execution_id: str,
        after: str | int | None = None,
        *,
        step_execution_id: str | None = None,
        to_rest: bool = False,
        poll_seconds: float = 1.0,
    ) -> AsyncGenerator[OutputPiece]:
        """What steps gave as it came after a cursor, piece by piece, then what comes, until what gives it has ended.

        All who follow it with this tracker share what is read. Whoever runs it; a database that is away for a while
        only delays it. Where output is not kept, what had not been read when its attempt completed does not come any
        more: the result is there.

        Args:
            after, step_execution_id: as of :meth:`output`.
            to_rest: ends also when the execution waits for a person.
            poll_seconds: how often to look without being told; only a wake-up that got lost needs it.

        Raises:
            ExecutionNotFound, StepExecutionNotFound, InvalidArgument
            DatabaseUnavailable: the database cannot be reached at the beginning, or was closed in this process.
        """
        followed_id, has_read = await self._row_id(execution_id), False
        async with (
            self._live.watching(followed_id) as look,
            self._output_reading.following(followed_id, step_execution_id) as pages,
        ):
            while True:
                look.clear()
                try:
                    page = await pages.after(after)
                except (DatabaseUnavailable, DatabaseBusy) as error:
                    if not has_read or isinstance(error, DatabaseClosed):
                        raise
                    await set_within(poll_seconds, look)
                    continue
                has_read, after = True, page.cursor
                for piece in page.items:
                    yield piece
                if page.more:
                    continue
                if page.is_over or (to_rest and page.rests):
                    return
                await set_within(poll_seconds, look)

    async def _some_output(
        self, execution_id: ExecutionId, after: str | int | None, step_execution_id: str | None
    ) -> OutputPage:
        return await self.output(execution_id, after, step_execution_id=step_execution_id, limit=_LINES_AT_ONCE)
