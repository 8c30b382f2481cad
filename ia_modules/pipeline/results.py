"""Results of steps, and the output of an execution."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

from ia_modules.errors import PayloadError, PipelineOutputError, Problem
from ia_modules.models import JsonText
from ia_modules.payload import clean_text, encode
from ia_modules.pipeline.causality import causal_ancestors, causal_order
from ia_modules.pipeline.document.definition import PipelineDefinition
from ia_modules.pipeline.document.json_schema import problems_of
from ia_modules.pipeline.document.scope import Scope
from ia_modules.pipeline.tokens import GraphState, StepRunKey

Results = Mapping[StepRunKey, Mapping[str, Any]]
"""Results of step runs, by their keys; every run with routes has one."""


def result_of(value: Any) -> dict[str, Any]:
    """A step's result as it is stored: a mapping unchanged, anything else as ``{"result": value}``."""
    return cast(dict[str, Any], value) if isinstance(value, dict) else {"result": value}


def step_error_result(error: BaseException) -> dict[str, Any]:
    """The result of a failed step after which the flow continues."""
    return {"step_error": True, "error_message": clean_text(error), "error_type": type(error).__name__}


def scope_before(
    state: GraphState,
    parents: Sequence[StepRunKey],
    input_data: Mapping[str, Any],
    results: Results,
    scopes: Mapping[StepRunKey, Scope] = MappingProxyType({}),
) -> Scope:
    """The scope of a step run with these parents: the input, and the results of its causal ancestors.

    Args:
        scopes: the scopes after step runs that the caller still has (:meth:`Scope.after`). With the one of its only
            parent the scope is not built anew, which is slow in long loops.
    """
    if len(parents) == 1 and parents[0] in scopes:
        return scopes[parents[0]].before_next()
    return Scope.of(input_data, ((key.step_id, results[key]) for key in causal_ancestors(state, parents)))


def output_of(state: GraphState, input_data: Mapping[str, Any], results: Results) -> dict[str, Any]:
    """The output of an execution that has completed.

    ``outputs``, null where one does not resolve; without ``outputs``, the input, updated with all results in causal
    order, then file order, and each step's last result under its id.

    Raises:
        PipelineOutputError: it violates ``output_schema``.
    """
    definition = state.graph.definition
    scope = Scope.of(input_data, ((key.step_id, results[key]) for key in causal_order(state)))
    if definition.outputs:
        output = {name: template.resolve_or_null(scope) for name, template in definition.outputs.items()}
    else:
        output = {**scope.state, **scope.steps}
    _check(definition, output)
    return output


def stored_output(definition: PipelineDefinition, output: dict[str, Any]) -> JsonText:
    """The output as it is stored.

    Raises:
        PipelineOutputError: it cannot be, being too large.
    """
    try:
        return encode(output, "output of the execution")
    except PayloadError as wrong:
        raise PipelineOutputError(definition.name, [Problem(wrong.path, wrong.found, wrong.expected)]) from wrong


def _check(definition: PipelineDefinition, output: dict[str, Any]) -> None:
    if definition.output_schema is not None and (problems := problems_of(output, definition.output_schema)):
        raise PipelineOutputError(definition.name, problems)
