"""Which runs of two executions belong together, and in which order they are looked at.

Runs are aligned by where they stand (``within``), their step and their iteration. Of a run its last attempt that has a
result counts, and the number of its attempts is told.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ia_modules.errors import PipelineDefinitionError
from ia_modules.models import (
    ExecutionStatus,
    ExecutionSummary,
    Json,
    PipelineVersionRecord,
    RunPath,
    StepExecutionId,
    StepExecutionRecord,
    StepStatus,
)
from ia_modules.paths import GRAPH, path_of
from ia_modules.pipeline.comparing.contrast import NOTHING, Payload
from ia_modules.pipeline.document.definition import PipelineDefinition, StepDefinition
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.versions import definition_of


class RunAddress(NamedTuple):
    """What two runs are aligned by."""

    within: RunPath
    step_id: str
    iteration: int

    @property
    def path(self) -> RunPath:
        """What is within the run has this as ``within``."""
        return path_of(*self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedExecution:
    """The records of one of the two.

    Attributes:
        version: the definition that it runs; None: it has none.
        steps: its attempts of all levels without payloads, in the order in which they began.
        contents: input and output of the attempts that count, by their ids; one that is missing has neither.
        more_steps: there are more attempts than these.
    """

    execution: ExecutionSummary
    version: PipelineVersionRecord | None
    input: Payload
    output: Payload
    steps: Sequence[StepExecutionRecord]
    contents: Mapping[StepExecutionId, tuple[Payload, Payload]]
    more_steps: bool = False


class Side:
    """One of the two executions, with what is looked up in it again and again.

    Attributes:
        attempts: of each run, in the order in which they were made.
        definition: None: it has none, or none that this program can read.
    """

    def __init__(self, compared: ComparedExecution) -> None:
        self.compared, self.execution = compared, compared.execution
        self.attempts = attempts_by_run(compared.steps)
        self.definition = _readable(compared.version)
        self.graph = None if self.definition is None else Graph(self.definition)
        self._began = {address: place for place, address in enumerate(self.attempts)}
        self._steps = {} if self.definition is None else {step.id: step for step in self.definition.steps}

    def counted(self, address: RunAddress) -> StepExecutionRecord:
        """The attempt that stands for a run of this execution."""
        return counted(self.attempts[address])

    def contents(self, address: RunAddress) -> tuple[Payload, Payload]:
        """Input and output of that attempt."""
        return self.compared.contents.get(self.counted(address).step_execution_id, (NOTHING, NOTHING))

    def step(self, address: RunAddress) -> StepDefinition | None:
        """As the definition has it; None: it has none."""
        return self._steps.get(address.step_id) if address.within == GRAPH else None

    def parents(self, address: RunAddress) -> tuple[RunAddress, ...]:
        """The runs whose tokens it took."""
        parents = as_mapping(self.attempts[address][0].input_refs).get("parents", ())
        return tuple(RunAddress(address.within, step_id, iteration) for step_id, iteration in parents)

    def paths(self, address: RunAddress) -> list[tuple[int | None, str]] | None:
        """The paths that were taken after it, by number and target; None: nothing was decided, or nothing follows."""
        routes = as_mapping(self.counted(address).routes)
        if routes.get("next") != "paths":
            return None
        return [(route["path"], route["to_step"]) for route in routes["paths"] if route["taken"]]

    def has_outcome(self, address: RunAddress) -> bool:
        """Whether a run came to its end by itself: it was not stopped from outside, and is not tried again."""
        attempt = self.counted(address)
        match attempt.status:
            case StepStatus.COMPLETED | StepStatus.SKIPPED:
                return True
            case StepStatus.FAILED:
                return as_mapping(attempt.routes).get("next") != "retry"
            case StepStatus.LOST:
                return self.execution.status is ExecutionStatus.FAILED
            case _:
                return False

    def rank(self, address: RunAddress) -> int:
        """Where a run of it comes among those that do not depend on each other."""
        if self.graph is None or address.within != GRAPH:
            return self._began[address]
        return self.graph.place.get(address.step_id, len(self.graph.step_ids))

    def before(self, address: RunAddress) -> list[RunAddress]:
        """The runs that a run of it follows from, and the iteration before it, whether that is there or not."""
        return [*self.parents(address), address._replace(iteration=address.iteration - 1)]


Sides = tuple[Side, Side]


def attempts_by_run(steps: Iterable[StepExecutionRecord]) -> dict[RunAddress, list[StepExecutionRecord]]:
    """The attempts of each run, in the order in which they were made."""
    runs: dict[RunAddress, list[StepExecutionRecord]] = {}
    for step in steps:
        runs.setdefault(RunAddress(step.within, step.step_id, step.iteration), []).append(step)
    return {address: sorted(made, key=lambda step: step.attempt) for address, made in runs.items()}


def counted(attempts: Sequence[StepExecutionRecord]) -> StepExecutionRecord:
    """The attempt that stands for a run: the last one that has a result, or else the last one."""
    return next((step for step in reversed(attempts) if _has_result(step)), attempts[-1])


def ran_one_definition(sides: Sides) -> bool:
    """Whether both executions ran the same; False where one ran none."""
    a, b = (side.compared.version for side in sides)
    return a is not None and b is not None and a.content_hash == b.content_hash


def causal_order_of(sides: Sides) -> list[RunAddress]:
    """The runs of both: each after what it follows from and after its own parts, as far as that can be.

    Runs that do not depend on each other come in the order of the file, or of their beginning where there is none. Two
    definitions may order two steps in opposite ways; then one of them comes first. The order of the sides plays no
    part.
    """
    before = _ended_before(sides)
    ranks = {address: min(side.rank(address) for side in sides if address in side.attempts) for address in before}
    after: dict[RunAddress, list[RunAddress]] = {address: [] for address in before}
    for address, earlier in before.items():
        for each in earlier:
            after[each].append(address)
    waits_for = {address: len(earlier) for address, earlier in before.items()}
    free = [(ranks[address], address) for address, count in waits_for.items() if not count]
    heapq.heapify(free)
    by_rank = iter(sorted((rank, address) for address, rank in ranks.items()))
    order: dict[RunAddress, None] = {}
    while len(order) < len(before):
        _, address = heapq.heappop(free) if free else next(by_rank)
        if address in order:
            continue
        order[address] = None
        for later in after[address]:
            waits_for[later] -= 1
            if not waits_for[later]:
                heapq.heappush(free, (ranks[later], later))
    return list(order)


def _ended_before(sides: Sides) -> dict[RunAddress, set[RunAddress]]:
    """What ends before each run does: what has ended when it begins, in either execution, and its own parts."""
    addresses = sorted({address for side in sides for address in side.attempts}, key=_from_outside)
    every, by_path = set(addresses), {address.path: address for address in addresses}
    begin: dict[RunAddress, set[RunAddress]] = {}
    for address in addresses:
        own = {each for side in sides if address in side.attempts for each in side.before(address)}
        around = by_path.get(address.within)
        begin[address] = (own & every) | (begin[around] if around is not None else set())
    before = {address: set(earlier) for address, earlier in begin.items()}
    for address in addresses:
        if (around := by_path.get(address.within)) is not None:
            before[around].add(address)
    return before


def _from_outside(address: RunAddress) -> tuple[int, RunAddress]:
    """Sorts what something is a part of before its parts: the path of a part is longer."""
    return len(address.within), address


def as_mapping(value: Json) -> Mapping[str, Any]:
    """A recorded JSON object; empty where there is none."""
    return value if isinstance(value, dict) else {}


def _readable(version: PipelineVersionRecord | None) -> PipelineDefinition | None:
    try:
        return None if version is None else definition_of(version)
    except PipelineDefinitionError:  # programs may register whatever JSON they like
        return None


def _has_result(step: StepExecutionRecord) -> bool:
    return step.status is StepStatus.COMPLETED or as_mapping(step.routes).get("next") == "paths"
