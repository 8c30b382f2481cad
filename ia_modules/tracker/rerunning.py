"""Re-runs: an execution once more, whole or from a step, on the version that it ran or on another."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import orjson

from ia_modules.errors import InvalidArgument
from ia_modules.models import ExecutionRecord, Json, JsonText, PipelineVersionRecord
from ia_modules.paths import GRAPH, path_of
from ia_modules.payload import content_hash, encode
from ia_modules.pipeline.ahead import Ahead, ahead_of_repeat, ahead_of_whole
from ia_modules.pipeline.document.definition import PipelineDefinition
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.inputs import check_contributions, check_result, prepare_input, replaced_input
from ia_modules.pipeline.kept_items import ItemsAhead, items_ahead
from ia_modules.pipeline.overrides import ItemsAgain, Override, overrides_json
from ia_modules.pipeline.recorded import RecordedRun, recorded_runs
from ia_modules.pipeline.repeating import Repeat, plan_repeat
from ia_modules.pipeline.results import encode_result
from ia_modules.pipeline.versions import definition_of
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.queue import Queued, enqueue
from ia_modules.transitions import StepCopy


@dataclass(frozen=True, slots=True, kw_only=True)
class RerunFrom:
    """Where a re-run begins, and what is changed there; without a change the step runs on what it got before.

    Attributes:
        step_id: a step that has run.
        iteration: of it; None: its last one.
        step_input: what this one run gets; later steps see the state without it. None: what it would get.
        step_output: its result, instead of running it: a mapping, or a value that is kept as ``{"result": value}``.
            None: it runs.
        items: of a step with a map, ``failed``: only the items run that have not completed; the others are copied with
            their results, and found by their keys. None: all of them run.
    """

    step_id: str
    iteration: int | None = None
    step_input: Mapping[str, Any] | None = None
    step_output: Json = None
    items: ItemsAgain | None = None

    def __post_init__(self) -> None:
        if self.items not in (None, "failed"):
            raise InvalidArgument("items", repr(self.items), "'failed', or None for all of them")
        if self.items is not None and self.is_edited:
            expected = "one of them: what is kept had the old input, and a step whose result is there runs no items"
            raise InvalidArgument("items", f"{self.items!r} beside step_input or step_output", expected)
        if self.step_input is not None and self.step_output is not None:
            expected = "one of them: a step whose result is there does not run"
            raise InvalidArgument("step_output", "a result beside step_input", expected)

    @property
    def is_edited(self) -> bool:
        return self.step_input is not None or self.step_output is not None

    @property
    def summary(self) -> dict[str, Any]:
        """What goes into the audit log."""
        summary = {"from_step": self.step_id, "iteration": self.iteration, "edited": self.is_edited}
        return summary if self.items is None else {**summary, "items": self.items}


async def plan_rerun(
    tracker: ExecutionTracker,
    record: ExecutionRecord,
    began_with: PipelineVersionRecord,
    stored: PipelineVersionRecord,
    begin: RerunFrom,
) -> Repeat:
    """What a re-run from a step would do; nothing is recorded.

    Args:
        began_with: the version that the execution ran.
        stored: the one that is to run.

    Raises:
        InvalidArgument: no such step run is on record, or it has no items that could be kept or have failed.
        RerunRefused: what would be copied does not fit the version.
        StepInputError, StepOutputError: what is given in the place of the step's own is not what its schema says.
        StepConflict: the rows of the execution do not follow from the version that it ran.
    """
    runs = recorded_runs(await tracker.get_attempts(record.execution_id))
    before, now = definition_of(began_with), definition_of(stored)
    repeat = plan_repeat(before, now, runs, begin.step_id, begin.iteration, is_edited=begin.is_edited)
    _edit(now, repeat, begin, "")
    if begin.items is None:
        return repeat
    [run] = [each for each in runs if each.run.key == repeat.start]
    return replace(repeat, items=await _items_ahead(tracker, record, before, now, repeat, run))


async def _items_ahead(
    tracker: ExecutionTracker,
    record: ExecutionRecord,
    before: PipelineDefinition,
    now: PipelineDefinition,
    repeat: Repeat,
    run: RecordedRun,
) -> ItemsAhead:
    step_id = run.run.key.step_id
    items = await tracker.get_attempts(record.execution_id, within=path_of(GRAPH, *run.run.key))
    steps = Graph(before).step(step_id), Graph(now).step(step_id)
    return items_ahead(*steps, run, items, may_differ=bool(repeat.asked_again))


async def rerun_ahead(
    tracker: ExecutionTracker,
    record: ExecutionRecord,
    began_with: PipelineVersionRecord,
    stored: PipelineVersionRecord,
    *,
    input_data: Mapping[str, Any] | None,
    begin: RerunFrom | None,
) -> Ahead:
    """What a re-run would do; nothing is recorded. Arguments and errors as :func:`queue_rerun`."""
    now = definition_of(stored)
    if begin is None:
        prepare_input(now, _input_of(record, input_data))
        return ahead_of_whole(now, recorded_runs(await tracker.get_attempts(record.execution_id)))
    _refuse_input_beside(begin, input_data)
    repeat = await plan_rerun(tracker, record, began_with, stored, begin)
    return ahead_of_repeat(now, repeat, is_by_hand=begin.step_output is not None)


async def queue_rerun(
    tracker: ExecutionTracker,
    record: ExecutionRecord,
    began_with: PipelineVersionRecord,
    stored: PipelineVersionRecord,
    *,
    input_data: Mapping[str, Any] | None,
    begin: RerunFrom | None,
    unless_repeated: bool = False,
    idempotency_key: str | None,
    actor: str,
) -> Queued:
    """Record a re-run for a worker; as :func:`plan_rerun`, and as :func:`ia_modules.tracker.queue.enqueue`.

    Args:
        input_data: instead of the one that it had; None: that one. Only of a whole one.
        begin: from where; None: the whole of it.
    """
    copies: tuple[StepCopy, ...] = ()
    overrides: JsonText | None = None
    if begin is not None:
        _refuse_input_beside(begin, input_data)
        repeat = await plan_rerun(tracker, record, began_with, stored, begin)
        copies = repeat.copies()
        edit = _edit(definition_of(stored), repeat, begin, actor)
        overrides = overrides_json(repeat.overrides(edit))
    return await enqueue(
        tracker,
        stored,
        _input_of(record, input_data),
        trigger="rerun",
        rerun_of=record.execution_id,
        unless_repeated=unless_repeated,
        idempotency_key=idempotency_key,
        request_hash=None if idempotency_key is None else request_hash(record, stored.version, input_data, begin),
        copies=copies,
        overrides=overrides,
    )


def request_hash(
    record: ExecutionRecord, version: int, input_data: Mapping[str, Any] | None, begin: RerunFrom | None
) -> str:
    """What tells requests of one idempotency key apart.

    Raises:
        PayloadError: what is given is not JSON.
    """
    request: Any = [record.execution_id, version, _input_of(record, input_data)]
    return content_hash(encode([*request, None if begin is None else _request_of(begin)], "request"))


def _refuse_input_beside(begin: RerunFrom, input_data: Mapping[str, Any] | None) -> None:
    if input_data is not None:
        expected = "one of them: what is copied had the old input"
        raise InvalidArgument("input_data", f"an input beside step {begin.step_id!r} to begin from", expected)


def _input_of(record: ExecutionRecord, input_data: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return cast("dict[str, Any] | None", record.input_data) if input_data is None else dict(input_data)


def _request_of(begin: RerunFrom) -> list[Any]:
    request = [begin.step_id, begin.iteration, begin.step_input, begin.step_output]
    return request if begin.items is None else [*request, begin.items]


def _edit(definition: PipelineDefinition, repeat: Repeat, begin: RerunFrom, actor: str) -> Override | None:
    """What stands in the place of the step run; None: nothing does.

    Raises:
        StepInputError, StepOutputError: it is not what the step's schema says.
        PayloadError: it is not JSON.
    """
    graph = Graph(definition)
    if not begin.is_edited:
        return None
    step, is_lenient = graph.step(repeat.start.step_id), definition.is_lenient
    where = f"of step {step.id!r}"
    if begin.step_input is not None:
        text = encode(dict(begin.step_input), f"input {where}")
        replaced_input(step, orjson.loads(text), is_lenient=is_lenient)
        return Override(repeat.start, input_data=text, actor=actor)
    text = encode_result(begin.step_output, f"result {where}")
    result = orjson.loads(text)
    check_contributions(step, result, graph.folding_rules)
    check_result(step, result, is_lenient=is_lenient)
    return Override(repeat.start, output_data=text, actor=actor)
