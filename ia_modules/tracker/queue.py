"""The queue: executions on record as pending, for the next worker that is free."""

from datetime import datetime, timedelta
from typing import NamedTuple

from ia_modules.errors import AlreadyRepeated, ConstraintViolated, ExecutionIsCopy, IdempotencyConflict
from ia_modules.models import ExecutionId, ExecutionRecord, Json, JsonText, PipelineId, PipelineVersionRecord
from ia_modules.payload import check_id, content_hash, encode
from ia_modules.pipeline.ahead import Ahead, ahead_of_resume
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.inputs import InputData, prepare_input
from ia_modules.pipeline.recorded import recorded_runs, state_of
from ia_modules.pipeline.start import find_started, new_execution, record_start
from ia_modules.pipeline.versions import definition_of
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import Deed, Requeue, StepCopy, Transition


class Queued(NamedTuple):
    """An execution on record; ``created`` False: the same request had queued it before."""

    execution_id: ExecutionId
    created: bool


async def enqueue(
    tracker: ExecutionTracker,
    stored: PipelineVersionRecord,
    input_data: InputData | None,
    *,
    trigger: str,
    alias: str | None = None,
    priority: int = 0,
    run_at: datetime | timedelta | None = None,
    rerun_of: ExecutionId | None = None,
    unless_repeated: bool = False,
    idempotency_key: str | None = None,
    request_hash: str | None = None,
    metadata: Json = None,
    copies: tuple[StepCopy, ...] = (),
    overrides: JsonText | None = None,
) -> Queued:
    """Record an execution of a stored definition for a worker to run. Its code is not loaded here.

    Args:
        trigger: what it was started by, such as ``api``.
        alias: the caller's own id of it; where it stands for an execution, that one is returned.
        priority: the highest is taken first; may be negative.
        run_at: it waits until this time, or so long, by the database's clock, before a worker takes it; None: at once.
        rerun_of: the execution that this one repeats; must exist.
        unless_repeated: not where another re-run of that one goes on or has completed.
        idempotency_key: names the request: sent twice, it is queued once.
        request_hash: tells requests of one key apart; None = by version and input.
        copies: attempts of the execution before that are its own, too.
        overrides: as :class:`ia_modules.transitions.NewExecution` has them.

    Raises:
        PipelineDefinitionError: the stored definition cannot be understood (any more).
        PipelineInputError: the input is not what the parameters ask for; nothing was recorded.
        ExecutionIdConflict: the alias stands for another pipeline or input.
        IdempotencyConflict: the key stands for another request.
        AlreadyRepeated: another re-run goes on or has completed, and it is not that of the same request.
        PayloadError: input, metadata or key cannot be stored.
    """
    definition = definition_of(stored)
    prepared = prepare_input(definition, input_data)
    text = encode(prepared, f"input of pipeline {definition.name!r}")
    if idempotency_key is not None:
        request_hash = request_hash or content_hash(encode([stored.version, prepared], "request"))
        if (known := await find_queued(tracker, stored.pipeline_id, idempotency_key, request_hash)) is not None:
            return known
    if (started := await find_started(tracker, alias, stored, text)) is not None:
        return Queued(started.execution_id, created=False)
    new = await new_execution(
        tracker,
        definition,
        stored,
        text,
        queued=True,
        alias=alias,
        trigger=trigger,
        metadata=metadata,
        priority=priority,
        run_at=run_at,
        rerun_of=rerun_of,
        unless_repeated=unless_repeated,
        idempotency_key=idempotency_key,
        request_hash=request_hash,
        overrides=overrides,
    )
    try:
        execution_id = await record_start(tracker, new, copies)
    except (ConstraintViolated, AlreadyRepeated):
        if (started := await find_started(tracker, alias, stored, text)) is not None:
            return Queued(started.execution_id, created=False)
        if idempotency_key is None or request_hash is None:
            raise
        known = await find_queued(tracker, stored.pipeline_id, idempotency_key, request_hash)
        if known is None:
            raise
        return known  # the same request came twice at once
    return Queued(execution_id, created=True)


async def resume_ahead(tracker: ExecutionTracker, record: ExecutionRecord, stored: PipelineVersionRecord) -> Ahead:
    """What an execution does when it goes on; of one that runs, as if its process were gone.

    Args:
        stored: the version that it began with.

    Raises:
        StepConflict: its steps do not follow from that.
    """
    attempts = await tracker.get_attempts(record.execution_id)
    return ahead_of_resume(definition_of(stored), recorded_runs(attempts, reopened=True))


async def put_back(
    tracker: ExecutionTracker, record: ExecutionRecord, stored: PipelineVersionRecord, *, deed: Deed
) -> None:
    """Let a worker go on with an execution that failed or was cancelled.

    Args:
        stored: the version that it began with.
        deed: who does it and why, for the audit log, in the same transaction.

    Raises:
        StepConflict: its steps do not follow from that; nothing has changed.
        AlreadyFinished: it has completed.
        InvalidTransition: it has not ended.
        ExecutionIsCopy: it came from a run file.
    """
    if await tracker.is_copy(record.execution_id):
        raise ExecutionIsCopy(record.execution_id)
    attempts = await tracker.get_attempts(record.execution_id)
    state_of(Graph(definition_of(stored)), recorded_runs(attempts, reopened=True))
    requeue = Transition(execution_id=record.execution_id, writer=tracker.owner, ownership=Requeue(deed))
    await tracker.record(requeue)


async def find_queued(
    tracker: ExecutionTracker, pipeline_id: PipelineId, idempotency_key: str, request_hash: str
) -> Queued | None:
    """What the request of a key queued before; None when there was none.

    Raises:
        IdempotencyConflict: the key stands for another request.
        PayloadError: the key cannot be stored.
    """
    known = await tracker.find_request(pipeline_id, check_id(idempotency_key, "idempotency key"))
    if known is None:
        return None
    execution_id, known_hash = known
    if known_hash != request_hash:
        raise IdempotencyConflict(idempotency_key, execution_id=execution_id)
    return Queued(execution_id, created=False)
