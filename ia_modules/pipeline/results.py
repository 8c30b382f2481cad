"""What steps give, and what an execution gives in the end."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

from ia_modules.errors import PipelineOutputError
from ia_modules.payload import clean_text
from ia_modules.pipeline.causality import causal_ancestors, causal_order
from ia_modules.pipeline.document.definition import PipelineDefinition
from ia_modules.pipeline.document.json_schema import problems_of
from ia_modules.pipeline.document.scope import Scope
from ia_modules.pipeline.inputs import StepInput
from ia_modules.pipeline.tokens import GraphState, StepRunKey

Results = Mapping[StepRunKey, Mapping[str, Any]]
"""What the step runs gave, by their keys: whatever has routes has a result."""


def result_of(value: Any) -> dict[str, Any]:
    """A step's result as it is kept: a mapping as it is, anything else as ``{"result": value}``."""
    return cast(dict[str, Any], value) if isinstance(value, dict) else {"result": value}


def condition_result(step_input: StepInput) -> dict[str, Any]:
    """The result of a ``condition`` step: the inputs that its conditions read; nothing when it was given the state."""
    return {} if step_input.is_state else step_input.data


def step_error_result(error: BaseException) -> dict[str, Any]:
    """The result of a step that failed and lets the flow go on."""
    return {"step_error": True, "error_message": clean_text(error), "error_type": type(error).__name__}


def scope_before(
    state: GraphState,
    parents: Sequence[StepRunKey],
    input_data: Mapping[str, Any],
    results: Results,
    behind: Mapping[StepRunKey, Scope] = MappingProxyType({}),
) -> Scope:
    """What a step run with these parents sees: the input, and the results of its causal ancestors.

    Args:
        behind: what is known behind step runs, where the caller still has it (:meth:`Scope.after`). A step with one
            parent sees just that; without it everything is laid over each other again, which long loops feel.
    """
    if len(parents) == 1 and parents[0] in behind:
        return behind[parents[0]].before_next()
    return Scope.of(input_data, ((key.step_id, results[key]) for key in causal_ancestors(state, parents)))


def output_of(state: GraphState, input_data: Mapping[str, Any], results: Results) -> dict[str, Any]:
    """The output of an execution that has completed.

    It is ``outputs``, null where one does not resolve; without ``outputs``, the input with all results laid over it, in
    causal order, then file order, and each step's last result under its id.

    Raises:
        PipelineOutputError: it is not what ``output_schema`` asks for.
    """
    definition = state.graph.definition
    scope = Scope.of(input_data, ((key.step_id, results[key]) for key in causal_order(state)))
    if definition.outputs:
        output = {name: template.resolve_or_null(scope) for name, template in definition.outputs.items()}
    else:
        output = {**scope.state, **scope.steps}
    _check(definition, output)
    return output


def _check(definition: PipelineDefinition, output: dict[str, Any]) -> None:
    if definition.output_schema is not None and (problems := problems_of(output, definition.output_schema)):
        raise PipelineOutputError(definition.name, problems)
