"""Queueing an execution for whichever worker is free: its input is checked now, its code is loaded there."""

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from ia_modules.errors import ConstraintViolated, IdempotencyConflict, PipelineDefinitionError, Problem
from ia_modules.models import ExecutionId, ExecutionStatus, Json, PipelineVersionRecord, new_id
from ia_modules.payload import check_count, check_name, content_hash, encode
from ia_modules.pipeline.inputs import prepare_input
from ia_modules.pipeline.loader import load
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import NewExecution, Transition


class Queued(NamedTuple):
    """An execution on record; ``created`` False: the same request had queued it before."""

    execution_id: ExecutionId
    created: bool


async def enqueue(
    tracker: ExecutionTracker,
    stored: PipelineVersionRecord,
    input_data: Mapping[str, Any] | None,
    *,
    trigger: str,
    priority: int = 0,
    rerun_of: ExecutionId | None = None,
    idempotency_key: str | None = None,
    request_hash: str | None = None,
    metadata: Json = None,
) -> Queued:
    """Record an execution of a stored definition as pending; a worker runs it.

    Args:
        trigger: what it was started by, such as ``api``.
        priority: the highest is taken first; may be negative.
        rerun_of: the execution that this one repeats; must exist.
        idempotency_key: names the request: asked for twice, it is queued once.
        request_hash: tells requests of one key apart; None = by version and input.

    Raises:
        PipelineDefinitionError: the stored definition cannot be understood (any more).
        PipelineInputError: the input is not what the parameters ask for; nothing was recorded.
        IdempotencyConflict: the key stands for another request.
        PayloadError: input, metadata or key cannot be stored.
    """
    definition = load(cast("dict[str, Any]", _definition(stored)), strict=False).definition
    prepared = prepare_input(definition, input_data)
    given = encode(prepared, f"input of pipeline {definition.name!r}")
    if idempotency_key is not None:
        check_name(idempotency_key, "idempotency key")
        request_hash = request_hash or content_hash(encode([stored.version, prepared], "request"))
        if (known := await _known(tracker, stored, idempotency_key, request_hash)) is not None:
            return known
    new = NewExecution(
        pipeline_id=stored.pipeline_id,
        pipeline_name=definition.name,
        pipeline_version=stored.version,
        status=ExecutionStatus.PENDING,
        managed=True,
        trigger=check_name(trigger, "trigger of the execution"),
        priority=check_count(priority, "priority", low=-(2**31)),
        rerun_of=rerun_of,
        idempotency_key=idempotency_key,
        request_hash=request_hash,
        total_steps=len(definition.steps),
        input_data=given,
        metadata=None if metadata is None else encode(metadata, "metadata of the execution"),
    )
    execution_id = ExecutionId(new_id())
    try:
        await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, new=new))
    except ConstraintViolated:
        if idempotency_key is None:
            raise
        known = await _known(tracker, stored, idempotency_key, request_hash)  # the same request came twice at once
        if known is None:
            raise
        return known
    return Queued(execution_id, created=True)


async def _known(
    tracker: ExecutionTracker, stored: PipelineVersionRecord, idempotency_key: str, request_hash: str | None
) -> Queued | None:
    found = await tracker.find_request(stored.pipeline_id, idempotency_key)
    if found is None:
        return None
    execution_id, known_hash = found
    if known_hash != request_hash:
        raise IdempotencyConflict(idempotency_key, execution_id=execution_id)
    return Queued(execution_id, created=False)


def _definition(stored: PipelineVersionRecord) -> Json:
    if not isinstance(stored.definition, dict):
        found = f"a {type(stored.definition).__name__}"
        raise PipelineDefinitionError([Problem("$", found, "an object with the steps of a pipeline")])
    return stored.definition
