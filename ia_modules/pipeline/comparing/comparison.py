"""Two executions beside each other: what differs in each run, and the first one at which they went different ways.

The same records always give the same answer, and with A and B the other way round it is the same one, turned round.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, cast

from msgspec import Struct
from msgspec.structs import replace

from ia_modules.models import (
    ExecutionStatus,
    ExecutionSummary,
    RunPath,
    StepExecutionId,
    StepStatus,
    format_time,
)
from ia_modules.pipeline.comparing.alignment import (
    ComparedExecution,
    RunAddress,
    Side,
    Sides,
    as_mapping,
    causal_order_of,
    ran_one_definition,
)
from ia_modules.pipeline.comparing.contrast import Contrast, Looking
from ia_modules.pipeline.comparing.inputs import Inputs
from ia_modules.pipeline.document.definition import PipelineDefinition

STEPS_LIMIT = 1_000
"""So many aligned runs are listed, those that differ first; the others are counted."""

DivergenceKind = Literal["outcome", "input", "presence"]


class ComparedRun(Struct, kw_only=True, frozen=True):
    """A run as one of the two executions has it.

    Attributes:
        step_execution_id: the attempt that counts: the last one with a result, or else the last one.
        attempts: how many were made.
        duration_seconds: of that attempt; None until it has ended.
        error_type, error_message: of that attempt.
        code: what runs there, such as ``steps.Download``; None: no definition says so.
        taken: where the paths lead that were taken after it; None: nothing was decided yet, or nothing follows.
        copied_from: the attempt of an execution before, whose result it has; None: it ran in this one.
    """

    step_execution_id: StepExecutionId
    status: StepStatus
    attempts: int
    duration_seconds: float | None
    error_type: str | None
    error_message: str | None
    code: str | None
    taken: tuple[str, ...] | None
    copied_from: StepExecutionId | None


class AlignedRun(Struct, kw_only=True, frozen=True):
    """A run that both executions have, or one of them.

    Attributes:
        a, b: None: that execution has no such run.
        input, output: None: only one has the run.
        error: whether both failed in the same way; None: not both failed.
        routes: whether the same paths were taken; None where one of them has not decided.
        definitions: of the step; None: both ran one definition, or one ran none.
        differs: whether anything does, but for durations and numbers of attempts.
    """

    within: RunPath
    step_id: str
    iteration: int
    step_name: str
    a: ComparedRun | None
    b: ComparedRun | None
    input: Contrast | None = None
    output: Contrast | None = None
    error: bool | None = None
    routes: bool | None = None
    definitions: Contrast | None = None
    differs: bool = True

    @property
    def address(self) -> RunAddress:
        return RunAddress(self.within, self.step_id, self.iteration)

    @property
    def has_other_outcome(self) -> bool:
        """Whether the one gave or led to something else than the other; False also where one is still to end."""
        return self.output is not None and False in (self.output.same, self.error, self.routes)


class Divergence(Struct, kw_only=True, frozen=True):
    """The run, in causal order, at which the executions first went different ways.

    Attributes:
        kind: ``outcome``: the first with the same input and another output, error or paths; where there is none,
            ``input``: the first with another input; or else ``presence``: the first that only one of them has.
        sentence: the same in words.
    """

    kind: DivergenceKind
    within: RunPath
    step_id: str
    iteration: int
    sentence: str


class ComparedCounts(Struct, kw_only=True, frozen=True):
    """How many runs there are of each kind, those that are not listed too."""

    same: int
    different: int
    only_a: int
    only_b: int


class Comparison(Struct, kw_only=True, frozen=True):
    """Two executions beside each other.

    Attributes:
        as_of: when they were read, where one of them has not ended; None: both have.
        definitions: of the pipelines without their steps; None: both ran one definition, or one ran none.
        input, output: of the executions.
        divergence: None: there is none, as far as both have come.
        steps: in causal order.
        steps_left_out: how many are not listed.
        notes: what one must know to read it rightly, each a sentence.
    """

    a: ExecutionSummary
    b: ExecutionSummary
    as_of: datetime | None
    definitions: Contrast | None
    input: Contrast
    output: Contrast
    divergence: Divergence | None
    counts: ComparedCounts
    steps: tuple[AlignedRun, ...]
    steps_left_out: int
    notes: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether anything does, but for times, numbers of attempts, and what has not ended."""
        contrasts = (self.definitions, self.input, self.output)
        counts = self.counts
        return bool(counts.different or counts.only_a or counts.only_b) or any(
            each is not None and each.same is False for each in contrasts
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; the executions with the times that they took."""
        return cast("dict[str, Any]", _plain(self))


def compare(a: ComparedExecution, b: ComparedExecution, *, now: datetime) -> Comparison:
    """Two executions beside each other.

    Args:
        now: when they were read.
    """
    sides, looking = (Side(a), Side(b)), Looking()
    input_data, output = looking.at_payloads(a.input, b.input), _output_of_both(sides, looking)
    inputs = Inputs(sides, looking)
    pairs = [_aligned(address, sides, inputs, looking) for address in causal_order_of(sides)]
    listed = _listed(pairs)
    return Comparison(
        a=a.execution,
        b=b.execution,
        as_of=None if a.execution.status.is_terminal and b.execution.status.is_terminal else now,
        definitions=_definitions(sides, looking),
        input=input_data,
        output=output,
        divergence=first_divergence(pairs, sides),
        counts=_counts(pairs),
        steps=tuple(pair for pair in pairs if pair.address in listed),
        steps_left_out=len(pairs) - len(listed),
        notes=tuple(_notes(a, b)),
    )


def first_divergence(pairs: Sequence[AlignedRun], sides: Sides) -> Divergence | None:
    """Where two executions first went different ways, as :class:`Divergence` says; None: nowhere.

    Args:
        pairs: in causal order.
    """
    for pair in pairs:
        if pair.input is not None and pair.input.same and pair.has_other_outcome:
            return _divergence("outcome", pair, f"got the same input in both, and {_other_outcome(pair)}")
    others = {pair.address.path: pair for pair in pairs if pair.input is not None and pair.input.same is False}
    if others:
        return _divergence("input", _outermost(others), "is the first that got another input")
    a_is_whole, b_is_whole = map(_is_whole, sides)
    for pair in pairs:
        if pair.b is None and b_is_whole:
            return _divergence("presence", pair, "is the first that only A has")
        if pair.a is None and a_is_whole:
            return _divergence("presence", pair, "is the first that only B has")
    return None


def _divergence(kind: DivergenceKind, pair: AlignedRun, what: str) -> Divergence:
    name = pair.step_id if pair.iteration == 1 else f"{pair.step_id} #{pair.iteration}"
    where = f" within {pair.within}" if pair.within else ""
    changed = pair.definitions is not None and pair.definitions.same is False
    sentence = f"{name}{where} {what}.{' Its definition is not the same.' if changed else ''}"
    return Divergence(kind=kind, within=pair.within, step_id=pair.step_id, iteration=pair.iteration, sentence=sentence)


def _outermost(others: Mapping[RunPath, AlignedRun]) -> AlignedRun:
    """The first of these; where that is a part of another one of them, that one: what it got, its parts got."""
    pair = next(iter(others.values()))
    while pair.within in others:
        pair = others[pair.within]
    return pair


def _other_outcome(pair: AlignedRun) -> str:
    a, b = (None if run is None else run.status for run in (pair.a, pair.b))
    if a is not b:
        return f"{_ended(a)} in A, but {_ended(b)} in B"
    if pair.error is False:
        return "failed in another way"
    return "gave another output" if pair.output is not None and pair.output.same is False else "took other paths"


def _ended(status: StepStatus | None) -> str:
    return {StepStatus.SKIPPED: "was skipped", StepStatus.LOST: "was lost"}.get(status, str(status)) if status else ""


def _is_whole(side: Side) -> bool:
    """Whether it came to an end by itself and is known to it: what it has not run by then, it never would have."""
    ended = (ExecutionStatus.COMPLETED, ExecutionStatus.FAILED)
    return side.execution.status in ended and not side.compared.more_steps


def _aligned(address: RunAddress, sides: Sides, inputs: Inputs, looking: Looking) -> AlignedRun:
    a, b = (_run_of(side, address) for side in sides)
    found = AlignedRun(
        within=address.within,
        step_id=address.step_id,
        iteration=address.iteration,
        step_name=next(side.counted(address).step_name for side in sides if address in side.attempts),
        a=a,
        b=b,
    )
    if a is None or b is None:
        return found
    contrast, output = inputs.contrast(address), _outputs_of_run(address, sides, looking)
    inputs.note_output(address, same=output.same is True)
    error = None if output.same is None else _same_error(a, b)
    routes = _same_routes(address, sides)
    definitions = _definitions_of_step(address, sides, looking)
    same = (contrast.same, output.same, error, routes, None if definitions is None else definitions.same)
    return replace(
        found,
        input=contrast,
        output=output,
        error=error,
        routes=routes,
        definitions=definitions,
        differs=a.status is not b.status or False in same,
    )


def _run_of(side: Side, address: RunAddress) -> ComparedRun | None:
    if address not in side.attempts:
        return None
    attempt, step, paths = side.counted(address), side.step(address), side.paths(address)
    return ComparedRun(
        step_execution_id=attempt.step_execution_id,
        status=attempt.status,
        attempts=len(side.attempts[address]),
        duration_seconds=attempt.duration_seconds,
        error_type=attempt.error_type,
        error_message=attempt.error_message,
        code=None if step is None or step.module is None else f"{step.module}.{step.step_class}",
        taken=None if paths is None else tuple(target for _, target in paths),
        copied_from=attempt.copied_from,
    )


def _outputs_of_run(address: RunAddress, sides: Sides, looking: Looking) -> Contrast:
    """What a run gave. Where one completed and the other failed, that never is the same."""
    named = tuple(zip("AB", sides, strict=True))
    open_in = [f"{side.counted(address).status} in {name}" for name, side in named if not side.has_outcome(address)]
    if open_in:
        return Contrast(same=None, note=f"Not compared: it is {' and '.join(open_in)}.")
    (_, a), (_, b) = (side.contents(address) for side in sides)
    contrast = looking.at_payloads(a, b)
    if contrast.same and len({side.counted(address).status for side in sides}) > 1:
        return Contrast(same=False, a_bytes=a.size_bytes, b_bytes=b.size_bytes, note="It did not end in the same way.")
    return contrast


def _output_of_both(sides: Sides, looking: Looking) -> Contrast:
    """The outputs of the executions; of what has not ended there is none yet."""
    running = [name for name, side in zip("AB", sides, strict=True) if not side.execution.status.is_terminal]
    if running:
        who = "neither has ended" if running[1:] else f"{running[0]} has not ended"
        return Contrast(same=None, note=f"Not compared: {who}.")
    return looking.at_payloads(*(side.compared.output for side in sides))


def _same_error(a: ComparedRun, b: ComparedRun) -> bool | None:
    if a.status is not StepStatus.FAILED or b.status is not StepStatus.FAILED:
        return None
    return (a.error_type, a.error_message) == (b.error_type, b.error_message)


def _same_routes(address: RunAddress, sides: Sides) -> bool | None:
    """By the numbers of the paths where both ran one definition, and by where they lead where not."""
    a, b = (side.paths(address) for side in sides)
    if a is None or b is None:
        return None
    if ran_one_definition(sides):
        return a == b
    return sorted(target for _, target in a) == sorted(target for _, target in b)


def _definitions_of_step(address: RunAddress, sides: Sides, looking: Looking) -> Contrast | None:
    a, b = (side.step(address) for side in sides)
    if a is None or b is None or ran_one_definition(sides):
        return None
    return looking.at_values(*(step.model_dump(mode="json", exclude_defaults=True) for step in (a, b)))


def _definitions(sides: Sides, looking: Looking) -> Contrast | None:
    a, b = (side.definition for side in sides)
    if a is None or b is None or ran_one_definition(sides):
        return None
    return looking.at_values(_around_steps(a), _around_steps(b))


def _around_steps(definition: PipelineDefinition) -> dict[str, Any]:
    """A definition without what stands in its steps, and its paths by what they connect, not by their numbers."""
    document, paths = definition.to_json(), dict[str, Any]()
    for path in document["flow"].get("paths", ()):
        ends = f"{path['from_step']} → {path['to_step']}"
        number = sum(name == ends or name.startswith(f"{ends} (") for name in paths) + 1
        paths[ends if number == 1 else f"{ends} ({number})"] = path
    steps: dict[str, Any] = {step.id: {} for step in definition.steps}
    return document | {"steps": steps, "flow": {**document["flow"], "paths": paths}}


def _listed(pairs: Sequence[AlignedRun]) -> set[RunAddress]:
    """The runs that are listed: as many as there is room for, those that differ first."""
    return {pair.address for pair in sorted(pairs, key=lambda pair: not pair.differs)[:STEPS_LIMIT]}


def _counts(pairs: Sequence[AlignedRun]) -> ComparedCounts:
    only_a, only_b = sum(pair.b is None for pair in pairs), sum(pair.a is None for pair in pairs)
    different = sum(pair.differs for pair in pairs) - only_a - only_b
    return ComparedCounts(
        same=len(pairs) - different - only_a - only_b, different=different, only_a=only_a, only_b=only_b
    )


def _notes(a: ComparedExecution, b: ComparedExecution) -> Iterator[str]:
    one, other = a.execution, b.execution
    if one.pipeline_id != other.pipeline_id:
        yield (
            f"A is of the pipeline {one.pipeline_name!r} and B of {other.pipeline_name!r}: "
            "their steps are aligned by their ids."
        )
    for name, side in (("A", a), ("B", b)):
        if not side.execution.status.is_terminal:
            yield f"{name} is {side.execution.status.replace('_', ' ')}: it is compared as far as it has come."
        if side.more_steps:
            yield f"{name} has more attempts than are compared: only its first {len(side.steps):,} are."
        yield from _edits(name, side)


def _edits(name: str, side: ComparedExecution) -> Iterator[str]:
    """What somebody put in the place of an input or a result, in a re-run from there: no code made it differ."""
    for step in side.steps:
        refs = as_mapping(step.input_refs)
        if "edited" in refs:
            run = step.step_id if step.iteration == 1 else f"{step.step_id} #{step.iteration}"
            yield f"In {name}, the {refs['edited']} of {run} is what {refs.get('by')} put in its place."


def _plain(value: object) -> object:
    match value:
        case ExecutionSummary():
            derived = {"queue_seconds": value.queue_seconds, "duration_seconds": value.duration_seconds}
            return value.to_dict() | derived | {"cause": value.cause}
        case StrEnum():
            return value.value
        case datetime():
            return format_time(value)
        case tuple():
            return [_plain(each) for each in cast("tuple[object, ...]", value)]
        case Struct():
            return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
        case _:
            return value
