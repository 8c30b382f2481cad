"""Results of steps, and the output of an execution."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ia_modules.errors import PipelineOutputError, Problem
from ia_modules.models import ExecutionId, ExecutionStatus, Json, JsonText, StepStatus
from ia_modules.payload import clean_text, encode, is_record
from ia_modules.pipeline.causality import causal_ancestors, causal_order
from ia_modules.pipeline.document.json_schema import problems_of
from ia_modules.pipeline.document.layers import Layers
from ia_modules.pipeline.document.scope import Scope
from ia_modules.pipeline.reads import EVERYTHING, Reads
from ia_modules.pipeline.tokens import GraphState, StepRunKey

Results = Mapping[StepRunKey, Mapping[str, Any]]
"""Results of step runs, by their keys; every run with routes has one."""


def encode_result(value: Any, where: str) -> JsonText:
    """A step's result as it is stored: a mapping, a model or a dataclass unchanged, else ``{"result": value}``.

    Args:
        where: names it in the error.

    Raises:
        PayloadError: it cannot be stored.
    """
    if type(value) is dict:  # what nearly all of them are
        return encode(value, where)  # pyright: ignore[reportUnknownArgumentType]
    if not is_record(value):
        return encode({"result": value}, where)
    text = encode(value, where)
    return text if text.startswith("{") else encode({"result": value}, where)  # a model may be written as anything


def step_error_result(error: BaseException) -> dict[str, Any]:
    """The result of a failed step after which the flow continues."""
    return {"step_error": True, "error_message": clean_text(error), "error_type": type(error).__name__}


def run_result(
    execution_id: ExecutionId,
    status: ExecutionStatus,
    *,
    input_data: Json,
    steps: Iterable[tuple[str, Json, StepStatus]],
    output: Json,
) -> dict[str, Any]:
    """The result of an execution, as a run gives it.

    Args:
        steps: id, result and status of the step runs that led on, in order of completion.
    """
    return {
        "input": input_data,
        "steps": [
            {"step_name": step_id, "step_index": index, "result": result, "status": ended.value}
            for index, (step_id, result, ended) in enumerate(steps)
        ],
        "output": output,
        "execution_id": execution_id,
        "status": status.value,
    }


def scope_before(
    state: GraphState, parents: Sequence[StepRunKey], input_data: Mapping[str, Any], results: Results
) -> Scope:
    """The scope of a step run with these parents: the input, and the results of its causal ancestors."""
    ancestors = causal_ancestors(state, parents)
    return _scope_after(state, ancestors, input_data, results)


def _scope_after(
    state: GraphState, keys: Iterable[StepRunKey], input_data: Mapping[str, Any], results: Results
) -> Scope:
    return Scope.of(input_data, [(key.step_id, results[key]) for key in keys], state.graph.folding_rules)


@dataclass(slots=True, eq=False)
class _Lineage:
    """What led to a step run.

    Attributes:
        before: what led to its first parent; None where nothing did.
        added: what led here beside that, in causal order.
        scope: made when it is read first.
        known: ``ancestors``, all of both, and ``last``, the last of them of each step, by step id.
    """

    before: "_Lineage | None"
    added: Sequence[StepRunKey]
    scope: Scope | None = None
    known: "tuple[Layers[StepRunKey, None], Layers[str, StepRunKey]] | None" = None

    @property
    def ancestors(self) -> Layers[StepRunKey, None]:
        return self._known()[0]

    @property
    def last(self) -> Layers[str, StepRunKey]:
        return self._known()[1]

    def _known(self) -> tuple[Layers[StepRunKey, None], Layers[str, StepRunKey]]:
        """Made when it is read first: most steps read the state alone."""
        way: list[_Lineage] = []
        nearest: _Lineage | None = self
        while nearest is not None and nearest.known is None:
            way.append(nearest)
            nearest = nearest.before
        ancestors: Layers[StepRunKey, None] = Layers({})
        last: Layers[str, StepRunKey] = Layers({})
        if nearest is not None and nearest.known is not None:
            ancestors, last = nearest.known
        for each in reversed(way):
            ancestors = ancestors.with_top(dict.fromkeys(each.added))
            last = last.with_top({key.step_id: key for key in each.added})
            each.known = ancestors, last
        return ancestors, last


class Scopes:
    """The scopes of all step runs of an execution, each laid over that of its first parent.

    They are those of :func:`scope_before`, as far as they are read, and together take memory with the number of
    results, not with its square.
    """

    def __init__(self, state: GraphState, input_data: Mapping[str, Any], results: Results) -> None:
        """``state`` and ``results`` may grow; of the results only those that :meth:`needs` names are read."""
        self._state, self._input_data, self._results = state, input_data, results
        self._first = _Lineage(None, (), _scope_after(state, [], input_data, results))
        self._after: dict[StepRunKey, _Lineage] = {}

    def needs(self, parents: Sequence[StepRunKey], reads: Reads) -> list[StepRunKey]:
        """The step runs whose results a step run with these parents reads; those that earlier scopes have are left out.

        Args:
            reads: what the step reads.
        """
        lineage = self._before(parents)
        if not _reads_state(lineage, reads):
            return _named(lineage, reads)
        return [key for each in _way_from_scope(lineage)[1] for key in each.added]

    def before(self, parents: Sequence[StepRunKey], reads: Reads = EVERYTHING) -> Scope:
        """The scope of a step run with these parents; without ``reads.state`` its state is not to be read."""
        lineage = self._before(parents)
        if lineage.scope is not None and reads.state:
            return lineage.scope
        if not _reads_state(lineage, reads):
            named = _named(lineage, reads)
            return Scope.of(self._input_data, [(key.step_id, self._results[key]) for key in named])
        scope, way = _way_from_scope(lineage)
        for each in way:
            scope = each.scope = scope.with_results([(key.step_id, self._results[key]) for key in each.added])
        return scope

    def _before(self, parents: Sequence[StepRunKey]) -> _Lineage:
        if not parents:
            return self._first
        known, others = self._after_run(parents[0]), parents[1:]
        if not others:
            return known
        added = causal_ancestors(self._state, others, beyond=known.ancestors)
        if any(key._replace(iteration=key.iteration + 1) in known.ancestors for key in added):
            # an earlier iteration that only the others bring lies below what the first parent knows
            known, added = self._first, causal_ancestors(self._state, parents)
        return _Lineage(known, added)

    def _after_run(self, key: StepRunKey) -> _Lineage:
        if (known := self._after.get(key)) is not None:
            return known
        unknown: list[StepRunKey] = []  # not recursive: a chain may be longer than Python's stack
        while key not in self._after:
            unknown.append(key)
            parents = self._state.runs[key].parents
            if not parents:
                break
            key = parents[0]
        for each in reversed(unknown):
            self._after[each] = _Lineage(self._before(self._state.runs[each].parents), [each])
        return self._after[unknown[0] if unknown else key]


def _way_from_scope(lineage: _Lineage) -> tuple[Scope, list[_Lineage]]:
    """The nearest scope that is made, and the lineages from there down to this one."""
    way: list[_Lineage] = []
    while lineage.scope is None:
        assert lineage.before is not None  # the first one has its scope
        way.append(lineage)
        lineage = lineage.before
    return lineage.scope, way[::-1]


def _reads_state(lineage: _Lineage, reads: Reads) -> bool:
    """Whether the state is read there: a bare path means a step only where that led here."""
    return reads.state or any(step_id not in lineage.last for step_id in reads.fields)


def _named(lineage: _Lineage, reads: Reads) -> list[StepRunKey]:
    return [lineage.last[step_id] for step_id in sorted(reads.steps | reads.fields) if step_id in lineage.last]


def output_of(
    state: GraphState, input_data: Mapping[str, Any], results: Results
) -> tuple[dict[str, Any], list[Problem]]:
    """The output of an execution that has completed, and what ``output_schema`` says against it where it only warns.

    Raises:
        PipelineOutputError: it violates ``output_schema``.
    """
    definition, output = state.graph.definition, made_output(state, input_data, results)
    problems = [] if definition.output_schema is None else problems_of(output, definition.output_schema)
    if problems and not definition.is_lenient:
        raise PipelineOutputError(definition.name, problems)
    return output, problems


def made_output(state: GraphState, input_data: Mapping[str, Any], results: Results) -> dict[str, Any]:
    """``outputs``, null where one does not resolve.

    Without ``outputs``, the input with all results in causal order, then file order, and each step's last result under
    its id. Where a step run ended the execution, only what led to it and its own result count: nothing of what ran
    beside it.
    """
    definition = state.graph.definition
    counted = causal_order(state) if state.ended is None else causal_ancestors(state, [state.ended])
    scope = _scope_after(state, counted, input_data, results)
    if definition.outputs:
        return {name: template.resolve_or_null(scope) for name, template in definition.outputs.items()}
    return scope.state.to_dict() | scope.steps.to_dict()
