"""The first row of an execution of a pipeline with a definition: begun here, queued, or run again."""

from datetime import datetime, timedelta
from functools import partial

import orjson

from ia_modules.errors import ExecutionIdConflict, InvalidArgument
from ia_modules.models import (
    Attribute,
    ExecutionId,
    ExecutionRecord,
    ExecutionStatus,
    Json,
    JsonText,
    PipelineVersionRecord,
    RegisteredVersion,
    new_id,
)
from ia_modules.payload import check_count, check_id, check_name, content_hash, encode
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.document.definition import PipelineDefinition
from ia_modules.pipeline.document.searchable import attributes_of
from ia_modules.pipeline.journal import Journal
from ia_modules.traces.running import outer_traceparent
from ia_modules.transitions import NewExecution, StepCopy, Transition


async def register_loaded(journal: Journal, pipeline: LoadedPipeline, *, new_version: bool) -> RegisteredVersion:
    """Register a pipeline before it runs; the current version stays current.

    Raises:
        PipelineConflict: another definition is registered under this slug; ``new_version`` makes this its next one.
    """
    definition = pipeline.definition
    return await journal.register_version(
        definition.slug,
        definition.name,
        definition.to_json(),
        description=definition.description,
        source_folder=None if pipeline.folder is None else str(pipeline.folder),
        new_version=new_version,
        make_current=False,
    )


async def registered_version(journal: Journal, pipeline: LoadedPipeline, *, new_version: bool) -> RegisteredVersion:
    """The version that a loaded pipeline is with this journal: registered at its first run, and remembered by it."""
    known = pipeline.registered.get(journal)
    if known is None:
        known = pipeline.registered[journal] = await register_loaded(journal, pipeline, new_version=new_version)
    return known


async def find_started(
    journal: Journal,
    alias: str | None,
    version: RegisteredVersion | PipelineVersionRecord,
    input_data: JsonText,
) -> ExecutionRecord | None:
    """The execution that a caller's id stands for; None: there is none.

    It is one of the same pipeline, whatever its version, and of the same input.

    Args:
        alias: the caller's id; None: there is none.
        input_data: prepared, as for :func:`new_execution`.

    Raises:
        ExecutionIdConflict: it is the id of a row, or stands for another pipeline or another input.
        PayloadError: it is empty, longer than 200 characters, or cannot be stored.
    """
    if alias is None:
        return None
    known = await journal.get_execution(check_id(alias, "execution id"))
    if known is None:
        return None
    conflict = partial(ExecutionIdConflict, alias, execution_id=known.execution_id)
    other = "Give this one an id of its own."
    if known.execution_id == alias:
        raise conflict(found="is the id that an execution was given here", advice=other)
    if known.pipeline_id != version.pipeline_id:
        found = f"stands for an execution of another pipeline, {known.pipeline_name!r} ({known.execution_id})"
        raise conflict(found=found, advice=other)
    if content_hash(encode(known.input_data, "input")) != content_hash(input_data):
        found = f"stands for an execution with another input ({known.execution_id})"
        raise conflict(found=found, advice=f"Send the same input again. {other}")
    return known


async def new_execution(
    journal: Journal,
    definition: PipelineDefinition,
    version: RegisteredVersion | PipelineVersionRecord,
    input_data: JsonText,
    *,
    queued: bool,
    trigger: str,
    alias: str | None = None,
    metadata: Json = None,
    priority: int = 0,
    run_at: datetime | timedelta | None = None,
    rerun_of: ExecutionId | None = None,
    unless_repeated: bool = False,
    idempotency_key: str | None = None,
    request_hash: str | None = None,
    overrides: JsonText | None = None,
) -> NewExecution:
    """An execution for a worker (``queued``), or one that runs in the process that owns the journal.

    What a worker runs is pending, or waiting where its time is still to come.

    Args:
        input_data: prepared by :func:`ia_modules.pipeline.inputs.prepare_input`.
        version: the registered version of ``definition``.
        alias: the caller's own id of it, which no other execution has.
        priority: of what waits for a worker, the highest is taken first; may be negative.
        run_at: no worker takes it before this time, or so long from now, by the clock of the records; None: at once.
        rerun_of: the execution that this one repeats; must exist.
        unless_repeated: as the new execution has it.
        idempotency_key: a pipeline has no two executions of one key.
        request_hash: tells whether two requests of one key are the same.
        overrides: as the new execution has them.

    Raises:
        InvalidArgument: ``run_at`` has no time zone, or lies after the year 9999.
        PayloadError: metadata, trigger or key cannot be stored.
    """
    starts_at = None if run_at is None else await _later_than_now(journal, run_at)
    return NewExecution(
        pipeline_id=version.pipeline_id,
        alias=alias,
        pipeline_name=definition.name,
        pipeline_version=version.version,
        status=_first_status(queued=queued, is_early=starts_at is not None),
        managed=queued,
        trigger=check_name(trigger, "trigger of the execution"),
        priority=check_count(priority, "priority", low=-(2**31)),
        run_at=starts_at,
        rerun_of=rerun_of,
        unless_repeated=unless_repeated,
        idempotency_key=None if idempotency_key is None else check_id(idempotency_key, "idempotency key"),
        request_hash=request_hash,
        total_steps=len(definition.steps),
        input_data=input_data,
        metadata=encode(metadata, "metadata of the execution") if metadata else None,
        overrides=overrides,
        attributes=_attributes(definition, input_data, metadata),
        traceparent=outer_traceparent(),
    )


def _attributes(definition: PipelineDefinition, input_data: JsonText, metadata: Json) -> tuple[Attribute, ...]:
    if not definition.searchable:
        return ()
    noted = metadata if isinstance(metadata, dict) else None
    return attributes_of(definition.searchable, orjson.loads(input_data), noted)


async def record_start(journal: Journal, new: NewExecution, copies: tuple[StepCopy, ...] = ()) -> ExecutionId:
    """Record an execution that has done nothing yet; returns its id.

    Args:
        copies: attempts of the execution before that are its own, too.

    Raises:
        PipelineNotFound: its pipeline is not registered any more.
        ConstraintViolated: its alias or key stands for another execution, or what it repeats does not exist.
        AlreadyRepeated: it was not to be the second re-run.
    """
    execution_id = ExecutionId(new_id())
    await journal.record(Transition(execution_id=execution_id, writer=journal.owner, new=new, copies=copies))
    return execution_id


async def _later_than_now(journal: Journal, run_at: datetime | timedelta) -> datetime | None:
    """The time to begin at; None where that has passed."""
    if isinstance(run_at, datetime) and run_at.tzinfo is None:
        raise InvalidArgument("run_at", run_at.isoformat(), "a time with its zone, such as datetime.now(UTC)")
    now = await journal.now()
    try:
        time = now + run_at if isinstance(run_at, timedelta) else run_at
    except OverflowError:
        raise InvalidArgument("run_at", f"{run_at} from now", "a time before the year 10000") from None
    return time if time > now else None


def _first_status(*, queued: bool, is_early: bool) -> ExecutionStatus:
    if not queued:
        return ExecutionStatus.RUNNING
    return ExecutionStatus.WAITING if is_early else ExecutionStatus.PENDING
