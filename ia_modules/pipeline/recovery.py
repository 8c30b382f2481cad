"""What programs that died have left of a pipeline, taken over and run to its end when its program is started again.

No worker may run these executions: only the program has their code. What belongs to another definition, and what a
process that lives still runs, is left alone.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from ia_modules.errors import AlreadyFinished, DatabaseError, IAModulesError, LeaseLost, RunsElsewhere, TrackerError
from ia_modules.models import ExecutionId, ExecutionStatus, LeftExecution
from ia_modules.payload import content_hash, encode
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.journal import LastingJournal
from ia_modules.pipeline.recorded import deaths_in_a_row
from ia_modules.transitions import Recovery, Transition

logger = logging.getLogger("ia_modules.pipeline")

DEATH_LIMIT = 5
"""How many processes in a row may die in one step run; then it may be what kills them."""

GoOn = Callable[[LeftExecution], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of the executions that died with their processes, each by its id.

    Attributes:
        results: those that ran to their end, or wait for a person: as ``run`` returns it.
        errors: those that ran and failed, or were cancelled.
        left: those that were not touched, with the reason in words.
    """

    results: dict[ExecutionId, dict[str, Any]] = field(default_factory=dict[ExecutionId, dict[str, Any]])
    errors: dict[ExecutionId, IAModulesError] = field(default_factory=dict[ExecutionId, IAModulesError])
    left: dict[ExecutionId, str] = field(default_factory=dict[ExecutionId, str])


async def recover(journal: LastingJournal, pipeline: LoadedPipeline, go_on: GoOn) -> Recovered:
    """Take over what is left of a pipeline, the oldest first, and run each to its end before the next.

    An owner that is silent, and not yet for its lease, is waited for. Of two programs that recover at once, one takes
    an execution, and the other goes on with the next.

    Args:
        go_on: takes over an execution, unless somebody else has, and runs it.

    Raises:
        DatabaseError: the database went away; what has not ended is found by the next recovery.
    """
    recovered = Recovered()
    content = content_hash(encode(pipeline.definition.to_json(), "definition"))
    async for each in journal.left_behind(pipeline.definition.slug):
        execution_id = each.lease.execution_id
        why = await _reason_to_leave(journal, each, content)
        if why is not None:
            logger.warning("Execution %s of %s is left: %s", execution_id, pipeline.definition.slug, why)
            recovered.left[execution_id] = why
            continue
        logger.warning("Execution %s of %s was left by its process: it goes on here", execution_id, each.owner)
        try:
            recovered.results[execution_id] = await go_on(each)
        except DatabaseError:
            raise
        except (AlreadyFinished, LeaseLost) as lost:
            recovered.left[execution_id] = f"Another process was faster: {lost}"
        except RunsElsewhere as elsewhere:
            recovered.left[execution_id] = str(elsewhere)
        except IAModulesError as error:
            logger.warning("Execution %s went on and failed: %s", execution_id, error)
            recovered.errors[execution_id] = error
    return recovered


async def _reason_to_leave(journal: LastingJournal, each: LeftExecution, content: str) -> str | None:
    """Why an execution does not go on here; None: it does. One that is to be cancelled is."""
    execution_id = each.lease.execution_id
    if each.is_alive:
        return f"The process {each.owner} lives, and runs it."
    if each.content_hash != content:
        began = "without a definition" if each.content_hash is None else "with another definition"
        return f"It began {began}. Go on with the code that it began with, or run it anew."
    if each.cancel_requested:
        cancelled = Recovery(status=ExecutionStatus.CANCELLED)
        try:
            await journal.record(Transition(lease=each.lease, writer=journal.owner, ownership=cancelled))
        except TrackerError as lost:
            return f"Another process was faster: {lost}"
        return "Its cancellation was requested: it is cancelled."
    step_id, deaths = deaths_in_a_row(await journal.get_attempts(execution_id))
    if deaths >= DEATH_LIMIT:
        by_hand = f"ia-modules executions resume {execution_id}"
        return f"{deaths} processes in a row died in step {step_id!r}: it may be what kills them. By hand: {by_hand}"
    return None
