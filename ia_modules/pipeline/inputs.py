"""Inputs of executions and steps: defaults, placeholders filled in, schemas checked."""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from ia_modules.errors import PipelineInputError, Problem, StepInputError, StepOutputError
from ia_modules.pipeline.document.definition import InputDefinition, Parameter, PipelineDefinition, StepDefinition
from ia_modules.pipeline.document.json_schema import as_property, path_text, problems_of
from ia_modules.pipeline.document.scope import Scope, Unresolved
from ia_modules.pipeline.document.templates import Template


@dataclass(frozen=True, slots=True)
class StepInput:
    """The input of a step.

    Attributes:
        data: the resolved inputs, or the state.
        is_state: True when the step declares no inputs; then the record needs no copy of ``data``.
        left_out: optional inputs that did not resolve, with the reasons.
    """

    data: dict[str, Any]
    is_state: bool
    left_out: tuple[Problem, ...] = ()


def input_schema_of(definition: PipelineDefinition) -> dict[str, Any]:
    """The JSON Schema of the pipeline's input, made from its parameters; the run form is drawn from it."""
    parameters = definition.parameters
    return {
        "type": "object",
        "properties": {
            each.name: as_property(each.name, _described(each.json_schema, each.description)) for each in parameters
        },
        "required": _required(parameters),
    }


def prepare_input(definition: PipelineDefinition, input_data: Mapping[str, Any] | None) -> dict[str, Any]:
    """The input of an execution, with the defaults of the parameters. ``input_data`` itself is not changed.

    Raises:
        PipelineInputError: it violates the parameters' schemas or ``input_schema``.
    """
    defaults = {each.name: copy.deepcopy(each.default) for each in definition.parameters if each.has_default}
    prepared = {**defaults, **(input_data or {})}
    problems = problems_of(prepared, {"type": "object", "required": _required(definition.parameters)})
    for each in definition.parameters:  # each by its own schema: what that refers to stands in it
        if each.json_schema is not None and each.name in prepared:
            problems += problems_of(prepared[each.name], each.json_schema, root=f"${path_text([each.name])}")
    if definition.input_schema is not None:
        problems += problems_of(prepared, definition.input_schema)
    if problems:
        raise PipelineInputError(definition.name, problems)
    return prepared


def _required(parameters: Iterable[Parameter]) -> list[str]:
    return [each.name for each in parameters if each.required and not each.has_default]


def step_input(step: StepDefinition, scope: Scope) -> StepInput:
    """The step's input: its declared inputs, resolved; without any, the state.

    Raises:
        StepInputError: a required input does not resolve, or a value violates a schema.
    """
    if not step.inputs:
        state = scope.state.to_dict()
        _check_input(step, state)
        return StepInput(state, is_state=True)
    resolved = {each.name: each.source.resolve(scope) for each in step.inputs}
    data = {name: value for name, value in resolved.items() if not isinstance(value, Unresolved)}
    missing = [each for each in step.inputs if each.name not in data]
    if problems := [
        *(_unresolved(each, resolved[each.name]) for each in missing if each.required),
        *(problem for each in step.inputs if each.name in data for problem in _mismatches(each, data[each.name])),
    ]:
        raise StepInputError(step.id, problems)
    _check_input(step, data)
    left_out = tuple(_unresolved(each, resolved[each.name]) for each in missing)
    return StepInput(data, is_state=False, left_out=left_out)


def step_config(step: StepDefinition, scope: Scope) -> dict[str, Any]:
    """The step's config with its placeholders filled in.

    Raises:
        StepInputError: a placeholder does not resolve.
    """
    config = {key: Template(value, step.config.strings).resolve(scope) for key, value in step.config.json.items()}
    missing = {key: value for key, value in config.items() if isinstance(value, Unresolved)}
    if missing:
        hint = "Give the parameter a default, or pass it in the input."
        problems = [_not_resolved(f"config{path_text([key])}", value, hint) for key, value in missing.items()]
        raise StepInputError(step.id, problems)
    return config


def check_result(step: StepDefinition, result: Mapping[str, Any]) -> None:
    """Checks the result against the step's ``output_schema``.

    Raises:
        StepOutputError: it violates the schema.
    """
    if step.output_schema is not None and (problems := problems_of(dict(result), step.output_schema)):
        raise StepOutputError(step.id, problems)


def _check_input(step: StepDefinition, data: dict[str, Any]) -> None:
    if step.input_schema is not None and (problems := problems_of(data, step.input_schema, root="input")):
        raise StepInputError(step.id, problems)


def _mismatches(declared: InputDefinition, value: Any) -> list[Problem]:
    schema = declared.json_schema
    return [] if schema is None else problems_of(value, schema, root=f"inputs{path_text([declared.name])}")


def _unresolved(declared: InputDefinition, value: Any) -> Problem:
    return _not_resolved(f"inputs{path_text([declared.name])}", cast(Unresolved, value), "")


def _not_resolved(where: str, value: Unresolved, hint: str) -> Problem:
    return Problem(where, f"{value.placeholder}, but {value.why}", "a placeholder that resolves", hint)


def _described(schema: dict[str, Any] | bool | None, description: str | None) -> dict[str, Any] | bool:
    if description is None or isinstance(schema, bool):
        return {} if schema is None else schema
    return {"description": description, **(schema or {})}
