"""What a batch can write without reading: its plain transitions, decided on what is known, as rows for a plan.

Plain is what a process writes while it runs an execution that it knows, or begins one: attempts that begin and end,
progress, waiting times, log lines, counts, and the end of the execution. All else goes the way that reads
(``batch.py``):

- an alias or an idempotency key, copies and overrides, a re-run that is not to be the second one, questions, answers,
  changes of ownership, and what hands an execution back or lets it rest;
- what closes attempts or questions that are still open;
- a failure whose step is to be found on record;
- what says metadata at an end or where an attempt runs, and what is written later than it was;
- a second transition of one execution waits for the next batch, since a plan must not write a row twice;
- what is refused, or would say nothing new, on what is known: that is found out on the rows.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ia_modules.deciding import Decision, decide
from ia_modules.failure_groups import RULE
from ia_modules.models import ExecutionId, ExecutionStatus, StepStatus, is_id, sought_id
from ia_modules.payload import size_bytes
from ia_modules.states import ExecutionState, Known
from ia_modules.tracker.known import KnownExecution, KnownExecutions
from ia_modules.transitions import ExecutionUpdate, LogLine, NewExecution, StepStart, StepUpdate, Transition

PlanRow = tuple[Any, ...]
_NOTHING = Known(execution=None, steps={}, latest={})
_NO_MORE = (None,) * 6


@dataclass(slots=True)
class PlannedBatch:
    """What becomes of the transitions of a batch, each by its number.

    Attributes:
        decided: written by ``rows``, all of them or none.
        waits: for the next batch, as another one of its execution is decided.
        unplain: go the way that reads.
        rows: as ``DatabaseManager.write_plan`` takes them.
    """

    decided: dict[int, Decision] = field(default_factory=dict[int, Decision])
    waits: list[int] = field(default_factory=list[int])
    unplain: list[int] = field(default_factory=list[int])
    rows: defaultdict[str, list[PlanRow]] = field(default_factory=lambda: defaultdict(list))


def plan_batch(known: KnownExecutions, transitions: Sequence[Transition]) -> PlannedBatch:
    """Decide what can be decided without reading. Changes nothing of what is known."""
    batch = PlannedBatch()
    planned: set[ExecutionId] = set()
    unplain: set[ExecutionId | None] = set()
    for number, transition in enumerate(transitions):
        execution_id, decision = transition.execution_id, None
        try:
            execution_id = transition.execution_id or known.home_of(transition)
            if execution_id in planned or None in unplain:  # it may be of the execution that is not known
                batch.waits.append(number)
                continue
            if execution_id is not None and execution_id not in unplain:
                decision = _plain_decision(transition, known.get(execution_id))
        except Exception:  # noqa: BLE001, S110 - whatever is wrong with it is told by the way that reads
            pass
        if decision is None:
            unplain.add(execution_id)
            batch.unplain.append(number)
        else:
            planned.add(decision.execution.execution_id)
            batch.decided[number] = decision
            _add_rows(batch.rows, transition, decision, known.get(decision.execution.execution_id))
    for in_order in (
        "count",
        "advance",
        "spend",
        "group",
        "reopen",
    ):  # of their ids, so that two processes cannot deadlock
        batch.rows[in_order].sort()
    return batch


def _plain_decision(transition: Transition, execution: KnownExecution | None) -> Decision | None:
    """What a transition does, if that can be written without reading."""
    new, change = transition.new, transition.change
    if transition.asks or transition.expires or transition.ownership is not None or transition.answer is not None:
        return None
    if transition.copies or _is_late_or_says_more(transition):
        return None
    if execution is None:
        if new is None or change is not None or new.alias is not None or new.idempotency_key is not None:
            return None
        if new.overrides is not None or new.unless_repeated:
            return None
        if not is_id(new.pipeline_id):  # PostgreSQL would take another spelling of one that is there
            return None
        decision = decide(transition, _NOTHING)
        is_plain = not decision.closings
    else:
        if new is not None or (change is not None and (change.released or change.finds_failed_step)):
            return None
        decision = decide(transition, execution.known_to(transition))
        status = decision.execution.status
        is_plain = status is ExecutionStatus.RUNNING or status.is_terminal
        is_plain = is_plain and not (decision.closings and _closes_something(decision, execution))
    is_plain = is_plain and decision.changed and not _updates_twice(decision)
    return decision if is_plain else None


def _is_late_or_says_more(transition: Transition) -> bool:
    new, change = transition.new, transition.change
    if (new is not None and new.age_seconds) or (change is not None and (change.age_seconds or change.metadata)):
        return True
    for update in transition.updates:
        if update.age_seconds or update.metadata or update.place is not None:
            return True
    return any(start.age_seconds for start in transition.starts)


def _updates_twice(decision: Decision) -> bool:
    updated = decision.updated
    return len(updated) > 1 and len({update.step_execution_id for update in updated}) < len(updated)


def _closes_something(decision: Decision, execution: KnownExecution) -> bool:
    """Whether an attempt or a question is, or may be, still open that the decision closes."""
    if execution.is_asking:
        return True
    if decision.execution.status.is_terminal:
        written = (*decision.started, *decision.updated)
        return any(row.status is None or not row.status.is_terminal for row in written) or any(
            step_execution_id not in decision.steps for step_execution_id in execution.open
        )
    others = [step for id_, step in execution.open.items() if id_ not in decision.steps]
    return any(closing.closed(step) is not step for closing in decision.closings for step in others)


def _add_rows(
    rows: defaultdict[str, list[PlanRow]], transition: Transition, decision: Decision, before: KnownExecution | None
) -> None:
    after = decision.execution
    sequence = after.sequence
    if before is None and transition.new is not None:
        rows["create"].append(_new_row(transition.new, after))
        rows["attribute"] += [(each.key, each.value, after.execution_id) for each in transition.new.attributes]
    elif before is not None:
        counts = (
            after.execution_id,
            before.state.sequence,
            before.state.epoch,
            sequence,
            after.completed_steps,
            after.failed_steps,
            after.recoveries,
        )
        if decision.spent is not None:
            spent = decision.spent
            change = _rest_of_row(transition.change or ExecutionUpdate(), decision)
            sums = (spent.input_tokens, spent.output_tokens, spent.cost_micros, spent.unpriced_calls)
            rows["spend"].append((*counts, *change, *sums))
        elif transition.change is None:
            rows["count"].append(counts)
        else:
            rows["advance"].append((*counts, *_rest_of_row(transition.change, decision)))
    if (group := decision.group) is not None:
        rows["group"].append((group.id, after.execution_id, RULE, group.step_id, group.error_type, group.message))
        rows["reopen"].append((group.id, after.execution_id))
    for update in decision.updated:
        name, row = _update_row(update, sequence)
        rows[name].append(row)
    for start in decision.started:
        row = _start_row(start, after.execution_id, sequence)
        if start.awaits is None:
            rows["begin"].append(row)
        else:
            rows["begin_elsewhere"].append((*row, start.awaits))
    for line in decision.logs:
        rows["log"].append(_line_row(line, after.execution_id, sequence))
    for attempt in decision.dropped:
        rows["drop_output"].append((attempt,))


def _new_row(new: NewExecution, state: ExecutionState) -> PlanRow:
    return (
        state.execution_id,
        new.pipeline_id,
        new.pipeline_name or None,
        new.pipeline_version,
        state.status,
        new.managed,
        new.trigger,
        new.priority,
        new.run_at,
        sought_id(new.rerun_of),
        state.owner,
        state.epoch,
        state.sequence,
        state.total_steps,
        new.input_data,
        new.metadata,
        new.traceparent,
        state.status is ExecutionStatus.RUNNING,
    )


def _rest_of_row(change: ExecutionUpdate, decision: Decision) -> PlanRow:
    after, failure = decision.execution, decision.failure
    return (
        after.status,
        after.total_steps,
        change.output_data,
        change.output_refs,
        None if failure is None else failure.type,
        None if failure is None else failure.message,
        None if decision.group is None else decision.group.id,
        after.status.is_terminal,
    )


def _update_row(update: StepUpdate, sequence: int) -> tuple[str, PlanRow]:
    """The name of the sentence, and its row."""
    status, output, failure, usage = update.status, update.output_data, update.failure, update.usage
    output_bytes = None if output is None else size_bytes(output)
    more = (
        update.worker,
        failure,
        update.progress,
        update.progress_message,
        update.wake_after_seconds,
        update.awaits,
    )
    if status is StepStatus.COMPLETED and more == _NO_MORE and usage is None:
        return "complete", (
            update.step_execution_id,
            sequence,
            output,
            output_bytes,
            update.routes,
            update.retry_count,
        )
    row = (
        update.step_execution_id,
        sequence,
        status,
        update.worker,
        output,
        output_bytes,
        update.routes,
        None if failure is None else failure.type,
        None if failure is None else failure.message,
        None if failure is None else failure.traceback,
        update.retry_count,
        update.progress,
        update.progress_message,
        update.wake_after_seconds,
        update.awaits,
        status is StepStatus.RUNNING,
        status is not None and status.is_terminal,
    )
    if usage is None:
        return "update", row
    spent = usage.spent
    sums = (spent.input_tokens, spent.output_tokens, spent.cost_micros, spent.unpriced_calls)
    return "tell", (*row, *sums, usage.by_model, usage.first_token_ms)


def _start_row(start: StepStart, execution_id: ExecutionId, sequence: int) -> PlanRow:
    return (
        start.step_execution_id,
        execution_id,
        start.within,
        start.step_id,
        start.step_name,
        start.step_type,
        start.iteration,
        start.attempt,
        start.status,
        start.worker,
        start.wake_after_seconds,
        start.input_data,
        start.input_refs,
        start.metadata,
        start.effect,
        size_bytes(start.input_data),
        sequence,
        start.status is StepStatus.RUNNING,
        start.status.is_terminal,
    )


def _line_row(line: LogLine, execution_id: ExecutionId, sequence: int) -> PlanRow:
    return (
        line.log_id,
        execution_id,
        line.step_execution_id,
        line.within,
        line.level,
        line.logger,
        line.message,
        line.data,
        sequence,
        -line.age_seconds,
    )
