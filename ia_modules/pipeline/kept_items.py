"""Re-runs of the failed items only: which items of the execution before are kept, and how the new one gets them.

They are copied when the map begins and knows its list, each to the number that its key has there, and before the first
of the others begins. So an item on record that is no copy says that all copies are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ia_modules.errors import InvalidArgument, StepError
from ia_modules.models import AttemptRecord, ExecutionId, Lease, RunPath, StepExecutionId, StepStatus, new_id
from ia_modules.pipeline.document.definition import StepDefinition
from ia_modules.pipeline.journal import Journal
from ia_modules.pipeline.mapping import MapItems
from ia_modules.pipeline.recorded import RecordedRun
from ia_modules.transitions import StepCopy, Transition

_COPIES_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsAhead:
    """What a re-run of the failed items of a step does.

    Attributes:
        kept: how many items of the execution before are copied, with their results.
        runs: how many run; None: the list may be another one, which is known when the step begins.
    """

    step_id: str
    iteration: int
    kept: int
    runs: int | None


def items_ahead(
    before: StepDefinition,
    now: StepDefinition,
    run: RecordedRun,
    records: Iterable[AttemptRecord],
    *,
    may_differ: bool,
) -> ItemsAhead:
    """What is kept of a run of a step with a map, and what runs.

    Args:
        before, now: the step in the version that ran, and in the one that is to run.
        records: the attempts of its items.
        may_differ: what led to the run is not all copied, so the list may be another one.

    Raises:
        InvalidArgument: it has no map, has not ended, has no failed items or has them elsewhere, or the keys of its
            items do not say which is which in the list that is to run.
    """
    kept, count = completed_items(records), _item_count(run)
    if before.map is None or now.map is None:
        raise _refused(now, "which has no map", "a step with a map")
    if not run.last.status.is_terminal:
        raise _refused(now, f"whose run is {run.last.status}", "a run that has ended")
    if run.last.copied_from is not None and count and not kept:
        found = "whose run is a copy: its items stand in the execution that was repeated"
        raise _refused(now, found, "a re-run of that execution")
    if run.last.status is StepStatus.COMPLETED and len(kept) >= count:
        raise _refused(now, "of which no item has failed", "a run with items that have not completed")
    key_before, key_now = before.map.key and before.map.key.json, now.map.key and now.map.key.json
    if key_before != key_now:
        raise _refused(now, "whose items have another key in the version that is to run", "the same map.key in both")
    may_differ = may_differ or before.map.over.json != now.map.over.json
    if may_differ and key_now is None:
        found = "whose list may be another one, and whose items have no key to be found by"
        raise _refused(now, found, "a map.key, or the same list")
    runs = None if may_differ or not count else count - len(kept)
    return ItemsAhead(step_id=now.id, iteration=run.run.key.iteration, kept=len(kept), runs=runs)


def completed_items(records: Iterable[AttemptRecord]) -> dict[str, StepExecutionId]:
    """The attempts of the items that have completed, by their keys."""
    newest = {each.iteration: each for each in sorted(records, key=lambda record: record.attempt)}
    return {each.step_name: each.step_execution_id for each in newest.values() if each.status is StepStatus.COMPLETED}


async def copy_completed(
    journal: Journal,
    lease: Lease,
    step_id: str,
    items: MapItems,
    records: Sequence[AttemptRecord],
    *,
    within: RunPath,
    repeated: ExecutionId | None,
) -> Sequence[AttemptRecord]:
    """Copy the items that completed in the execution before, unless they are; returns what is on record then.

    Args:
        records: the attempts of its items that this execution has, in any number.
        within: the path of the map's run, here and there.
        repeated: the execution before; None: it is not there any more.

    Raises:
        StepError: it is gone before all of them were copied.
    """
    recorded = {each.iteration for each in records}
    missing = [number for number in range(1, len(items) + 1) if number not in recorded]
    if not missing or any(each.copied_from is None for each in records):
        return records
    completed = completed_items([] if repeated is None else await journal.get_attempts(repeated, within=within))
    copies = [
        StepCopy(
            step_execution_id=StepExecutionId(new_id()),
            copied_from=completed[key],
            status=StepStatus.COMPLETED,
            routes=None,
            interaction_id=new_id(),
            iteration=number,
        )
        for number in missing
        if (key := items.key(number)) in completed
    ]
    for first in range(0, len(copies), _COPIES_AT_ONCE):
        chunk = tuple(copies[first : first + _COPIES_AT_ONCE])
        await journal.record(Transition(lease=lease, writer=journal.owner, copies=chunk))
    copied = await journal.get_attempts(lease.execution_id, within=within)
    if not completed or len(copied) < len(records) + len(copies):
        what = "the execution whose completed items it keeps was deleted. Run it again from this step, with all items."
        raise StepError(step_id, what)
    return copied


def _item_count(run: RecordedRun) -> int:
    """For how many items it ran; 0 where its list could not be made."""
    refs = run.last.input_refs
    return int(refs.get("items") or 0) if isinstance(refs, dict) else 0


def _refused(step: StepDefinition, found: str, expected: str) -> InvalidArgument:
    return InvalidArgument("items", f"'failed' of step {step.id!r}, {found}", expected)
