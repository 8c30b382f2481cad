"""Inputs of executions and steps: defaults, placeholders filled in, schemas checked."""

from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass
from typing import Any, ClassVar, Protocol, cast

import orjson
from msgspec import Struct
from pydantic import BaseModel

from ia_modules.errors import PipelineInputError, Problem, StepInputError, StepOutputError
from ia_modules.payload import encode
from ia_modules.pipeline.document.definition import InputDefinition, Parameter, PipelineDefinition, StepDefinition
from ia_modules.pipeline.document.json_schema import as_property, path_text, problems_of
from ia_modules.pipeline.document.merge import FoldingRules, contribution_problems, state_problems
from ia_modules.pipeline.document.scope import Scope, Unresolved
from ia_modules.pipeline.document.templates import Template
from ia_modules.pipeline.document.wording import kind_of


class _HasFields(Protocol):
    """A dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


InputData = Mapping[str, Any] | BaseModel | _HasFields
"""What an execution is begun with: values by the names of parameters, or an object whose fields have these names."""


class StepInput(Struct, frozen=True):
    """The input of a step.

    Attributes:
        data: the resolved inputs, or the state, or the ones over the other; without the state where nothing sees it.
        is_state: True when its input is made of the state: the record rebuilds it.
        resolved: the declared inputs, which the record keeps; None when the step declares none.
        left_out: inputs that did not resolve and need not, with the reasons.
        mismatches: what schemas say against ``data``, where they only warn.
    """

    data: dict[str, Any]
    is_state: bool
    resolved: dict[str, Any] | None = None
    left_out: tuple[Problem, ...] = ()
    mismatches: tuple[Problem, ...] = ()


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


def prepare_input(definition: PipelineDefinition, input_data: InputData | None) -> dict[str, Any]:
    """The input of an execution, with the defaults of the parameters. ``input_data`` itself is not changed.

    Raises:
        PipelineInputError: it has no fields by name, or violates the parameters' schemas or ``input_schema``, and these
            do not only warn; or one of its values cannot be merged into, as ``merge`` says.
        PayloadError: JSON cannot be made of it.
    """
    try:
        own = fields_of(input_data)
    except TypeError:
        expected = "a mapping, a pydantic model or a dataclass"
        raise PipelineInputError(definition.name, [Problem("$", kind_of(input_data), expected)]) from None
    defaults = {each.name: each.default for each in definition.parameters if each.has_default}
    text = encode({**defaults, **own}, f"input of pipeline {definition.name!r}")
    prepared: dict[str, Any] = orjson.loads(text)  # as every run sees it, resumed or not
    problems = input_problems(definition, prepared)
    unmergeable = state_problems(definition.folding_rules, prepared, "$")
    if unmergeable or (problems and not definition.is_lenient):
        raise PipelineInputError(definition.name, [*problems, *unmergeable])
    return prepared


def fields_of(input_data: InputData | None) -> Mapping[str, Any]:
    """The values of an input by the names of their parameters.

    Raises:
        TypeError: it is no mapping, no pydantic model and no dataclass.
        PayloadError: JSON cannot be made of a model or dataclass.
    """
    if input_data is None or isinstance(input_data, Mapping):
        return input_data or {}
    if isinstance(input_data, type) or not (isinstance(input_data, BaseModel) or is_dataclass(input_data)):
        raise TypeError(type(input_data).__name__)
    return orjson.loads(encode(input_data, "input"))


def input_problems(definition: PipelineDefinition, prepared: dict[str, Any]) -> list[Problem]:
    """What the parameters' schemas and ``input_schema`` say against an input that has its defaults."""
    problems = problems_of(prepared, {"type": "object", "required": _required(definition.parameters)})
    for each in definition.parameters:  # each by its own schema: what that refers to stands in it
        if each.json_schema is not None and each.name in prepared:
            problems += problems_of(prepared[each.name], each.json_schema, root=f"${path_text([each.name])}")
    if definition.input_schema is not None:
        problems += problems_of(prepared, definition.input_schema)
    return problems


def _required(parameters: Iterable[Parameter]) -> list[str]:
    return [each.name for each in parameters if each.required and not each.has_default]


def takes_state(step: StepDefinition, *, is_lenient: bool = False) -> bool:
    """Whether the state goes into a step: where it declares no inputs, has no map, and its code or schema sees them."""
    if step.map is not None:  # the state has the list: so many copies of it are nobody's wish
        return False
    return (is_lenient or not step.inputs) and (step.type == "task" or step.input_schema is not None)


def step_input(step: StepDefinition, scope: Scope, *, is_lenient: bool = False, by_schema: bool = True) -> StepInput:
    """The step's input: its declared inputs, resolved; without any, the state.

    Args:
        is_lenient: schemas only warn, the inputs lie over the state, and none of them is required.
        by_schema: it is held to the step's ``input_schema``; else its code does that.

    Raises:
        StepInputError: a required input does not resolve, or a value violates a schema.
    """
    if step.map is not None and not step.inputs:
        return _item_input(step, scope, is_lenient=is_lenient)
    if not step.inputs and step.input_schema is None:
        return StepInput(scope.state.to_dict() if takes_state(step) else {}, is_state=True)
    resolved = {each.name: each.source.resolve(scope) for each in step.inputs}
    own = {name: value for name, value in resolved.items() if not isinstance(value, Unresolved)}
    is_state = is_lenient or not step.inputs
    data = scope.state.to_dict() | own if takes_state(step, is_lenient=is_lenient) else own
    missing = [each for each in step.inputs if each.name not in own]
    required = [_unresolved(each, resolved[each.name]) for each in missing if each.required and not is_lenient]
    wrong = [problem for each in step.inputs if each.name in own for problem in _mismatches(each, own[each.name])]
    if not required and not wrong and step.input_schema is not None and by_schema:
        wrong = problems_of(data, step.input_schema, root="input")
    if required or (wrong and not is_lenient):
        raise StepInputError(step.id, [*required, *wrong])
    left_out = tuple(_unresolved(each, resolved[each.name]) for each in missing)
    return StepInput(data, is_state, own if step.inputs else None, left_out, tuple(wrong))


def _item_input(step: StepDefinition, scope: Scope, *, is_lenient: bool) -> StepInput:
    """The item itself: a mapping as it is, anything else as ``{"item": value}``."""
    assert scope.item is not None
    value = scope.item.value
    data: dict[str, Any] = dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else {"item": value}
    wrong = [] if step.input_schema is None else problems_of(data, step.input_schema, root="item")
    if wrong and not is_lenient:
        raise StepInputError(step.id, wrong)
    return StepInput(data, is_state=False, mismatches=tuple(wrong))


def replaced_input(step: StepDefinition, data: dict[str, Any], *, is_lenient: bool = False) -> StepInput:
    """An input that somebody gave in the place of the step's own; it is held to the same schemas.

    Raises:
        StepInputError: it violates one, or lacks a required input.
    """
    names = {each.name for each in step.inputs if each.required}
    missing = [Problem(f"inputs{path_text([name])}", "nothing", "a value") for name in sorted(names - data.keys())]
    wrong = [problem for each in step.inputs if each.name in data for problem in _mismatches(each, data[each.name])]
    if not missing and not wrong and step.input_schema is not None:
        wrong = problems_of(data, step.input_schema, root="input")
    if (missing or wrong) and not is_lenient:
        raise StepInputError(step.id, [*missing, *wrong])
    return StepInput(data, is_state=False, resolved=data, mismatches=tuple(wrong))


def step_config(
    step: StepDefinition, scope: Scope, *, is_lenient: bool = False
) -> tuple[dict[str, Any], list[Problem]]:
    """The step's config with its placeholders filled in, and what was left out.

    Args:
        is_lenient: what does not resolve is left out.

    Raises:
        StepInputError: a placeholder does not resolve.
    """
    if not step.config.json:
        return {}, []
    config = {key: Template(value, step.config.strings).resolve(scope) for key, value in step.config.json.items()}
    missing = {key: value for key, value in config.items() if isinstance(value, Unresolved)}
    hint = "Give the parameter a default, or pass it in the input."
    problems = [_not_resolved(f"config{path_text([key])}", value, hint) for key, value in missing.items()]
    if problems and not is_lenient:
        raise StepInputError(step.id, problems)
    return {key: value for key, value in config.items() if key not in missing}, problems


def check_contributions(step: StepDefinition, result: Mapping[str, Any], rules: FoldingRules) -> None:
    """Refuse a result that cannot be merged into the state.

    Raises:
        StepOutputError: it cannot.
    """
    if rules and (problems := contribution_problems(rules, result)):
        raise StepOutputError(step.id, problems, by_schema=False)


def check_result(step: StepDefinition, result: Any, *, is_lenient: bool = False) -> list[Problem]:
    """What the step's ``output_schema`` says against its result.

    Raises:
        StepOutputError: there is something, and schemas do not only warn.
    """
    problems = [] if step.output_schema is None else problems_of(result, step.output_schema)
    if problems and not is_lenient:
        raise StepOutputError(step.id, problems)
    return problems


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
