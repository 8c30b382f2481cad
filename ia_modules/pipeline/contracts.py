"""What a function takes and gives, and what a pipeline takes, as JSON Schemas made from annotations."""

import dataclasses
import inspect
import json
from collections.abc import AsyncIterable, Callable, Mapping
from functools import lru_cache
from inspect import Parameter
from typing import Any, Union, cast, get_origin

from pydantic import BaseModel, RootModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema
from typing_extensions import is_typeddict

from ia_modules.errors import InvalidValue, PipelineDefinitionError, Problem
from ia_modules.pipeline.binding import Binding, alternatives, binding_of, hint_of, mapping_of, says_nothing, type_name
from ia_modules.pipeline.document.json_schema import checked_schema

_SCHEMA_KEYS = frozenset(
    {"$defs", "$id", "$schema", "additionalProperties", "definitions", "description", "properties", "required"}
    | {"title", "type"}
)
_OWN_TITLES = (("title", "Inputs"), ("title", "Result"))
_REMEMBERED = 100  # models


class _FormSchema(GenerateJsonSchema):
    """Schemas of what people and programs give: without titles that only repeat a name."""

    def emit_warning(self, kind: Any, detail: str) -> None:
        """Nothing: a default that is no JSON is left out of its schema, and a type that has none of a union."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        """Without its pattern, which looks ahead: patterns here cannot run away."""
        made = super().decimal_schema(schema)
        return {key: _without_pattern(value) for key, value in made.items() if key != "pattern"}


class _StepSchema(_FormSchema):
    """Schemas of what a step takes and gives. A time need not say its zone, as JSON Schema's formats want it to."""

    def datetime_schema(self, schema: core_schema.DatetimeSchema) -> JsonSchemaValue:
        return {"type": "string"}

    def time_schema(self, schema: core_schema.TimeSchema) -> JsonSchemaValue:
        return {"type": "string"}

    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:
        return {"type": "string"}


def schemas_of(
    function: Callable[..., Any],
    inputs: tuple[str, ...] | None,
    parameters: tuple[str, ...],
    *,
    is_mapped: bool = False,
) -> Mapping[str, Any]:
    """``input_schema`` and ``output_schema`` of a step that is a function; without those that annotations do not give.

    Args:
        inputs, parameters: as for :func:`ia_modules.pipeline.binding.binding_of`.
        is_mapped: it is made for each item of a list, and these are an item's: what it gives as it is, and what it
            gets where ``inputs`` say that. An item itself may come in more than one form.
    """
    try:
        binding = binding_of(function, inputs=inputs, parameters=parameters)
    except InvalidValue:  # said when its code is loaded
        return {}
    made = {
        "input_schema": None if is_mapped and inputs is None else input_schema_of(binding),
        "output_schema": _output_schema(function, is_mapped=is_mapped),
    }
    return {key: schema for key, schema in made.items() if schema is not None}


def input_schema_of(binding: Binding | None) -> dict[str, Any] | None:
    """What the data of a step must be, for its function; None: no annotation says."""
    if binding is None or (binding.whole is None and any(each.source == "name or whole" for each in binding.bound)):
        return None
    named = [each for each in binding.bound if each.source in ("name", "name or whole") and each.spare is None]
    hints = {each.name: each.hint for each in named}
    whole = [each.hint for each in binding.bound if each.source in ("whole", "name or whole")] if binding.whole else []
    whole = [hint for hint in whole if any(map(_is_record, alternatives(hint)))]  # nothing else is made of a mapping
    if any(each.parameter.annotation is not Parameter.empty for each in named):
        whole.insert(0, mapping_of("Inputs", hints, {each.name for each in named if each.may_be_missing}))
    return _schema(whole, "validation", _StepSchema) if whole else None


def names_of(listed: Any) -> tuple[str, ...] | None:
    """The names of inputs or parameters, as they may be written in a file; None: there are none."""
    if isinstance(listed, Mapping):
        return tuple(cast("Mapping[str, Any]", listed)) or None
    entries = cast("list[Any]", listed) if isinstance(listed, list | tuple) else []
    names = [cast("Mapping[str, Any]", each).get("name") if isinstance(each, Mapping) else each for each in entries]
    return tuple(str(each) for each in names) or None


def parameters_of(model: Any) -> Any:
    """The ``parameters`` of a pipeline file: of a model or a dataclass one for each field; anything else as it is.

    Raises:
        PipelineDefinitionError: it is a JSON Schema, or another class.
    """
    if isinstance(model, Mapping):
        return _checked(cast("Mapping[str, Any]", model))
    return _fields_of(model) if isinstance(model, type) else model


@lru_cache(maxsize=_REMEMBERED)
def _fields_of(model: Any) -> list[dict[str, Any]]:
    expected = "names with their defaults, a pydantic model or a dataclass"
    if not (issubclass(model, BaseModel) or dataclasses.is_dataclass(model)):
        raise PipelineDefinitionError([Problem("$.parameters", f"the class {type_name(model)}", expected)])
    schema = _schema([model], "validation", _FormSchema) or {}
    kinds: Mapping[str, Any] = schema.get("$defs", {})
    own = kinds[schema["$ref"].removeprefix("#/$defs/")] if "$ref" in schema else schema  # it refers to itself
    fields: Mapping[str, Any] | None = own.get("properties")
    if fields is None:
        found = f"{type_name(model)}, whose fields have no JSON Schema"
        raise PipelineDefinitionError([Problem("$.parameters", found, expected)])
    return [_parameter(name, each, name in own.get("required", ()), kinds) for name, each in fields.items()]


def _parameter(name: str, schema: Any, required: bool, kinds: Mapping[str, Any]) -> dict[str, Any]:
    own = dict(schema)
    facts = {key: own.pop(key) for key in ("default", "description") if key in own}
    if used := _used(own, kinds):
        own["$defs"] = used
    return {"name": name, "schema": own, **({"required": True} if required else {}), **facts}


def _used(schema: Any, kinds: Mapping[str, Any]) -> dict[str, Any]:
    """The definitions that a schema refers to, and those that they do."""
    used: set[str] = set()
    text = json.dumps(schema)
    while more := {name for name in kinds.keys() - used if f'"#/$defs/{name}"' in text}:
        used |= more
        text = json.dumps([kinds[name] for name in more])
    return {name: kind for name, kind in kinds.items() if name in used}


def _checked(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = parameters.get("properties")
    if not isinstance(properties, Mapping) or not parameters.keys() <= _SCHEMA_KEYS:
        return parameters
    names = cast("Mapping[str, Any]", properties)
    example = next(iter(names), "name")
    hint = (
        f'Write each of its properties as a parameter: parameters=[{{"name": "{example}", "schema": {{…}}}}]. '
        "Or give a pydantic model or a dataclass: parameters=Order."
    )
    found = f"a JSON Schema of {', '.join(names) or 'nothing'}, whose keys would be the parameters"
    raise PipelineDefinitionError([Problem("$.parameters", found, "names with their defaults", hint)])


def _output_schema(function: Callable[..., Any], *, is_mapped: bool) -> dict[str, Any] | None:
    """What the result of a step is, by the return type of its function; None: that says nothing."""
    if hasattr(function, "__wrapped__"):  # a decorator may give something else
        return None
    try:
        returned = inspect.signature(function).return_annotation
    except (TypeError, ValueError):
        return None
    if returned is Parameter.empty or returned is None:
        return None
    hint = hint_of(returned, function)
    kinds = [*alternatives(hint, with_none=True)]
    if all(each is type(None) for each in kinds) or any(map(_is_open, kinds)):
        return None
    results = [each if is_mapped or _is_record(each) else mapping_of("Result", {"result": each}) for each in kinds]
    return _schema(results, "serialization", _StepSchema)


def _is_open(hint: Any) -> bool:
    """Whether nothing is known of a result of this type: it is a mapping, written in a way of its own, or a stream."""
    kind: Any = get_origin(hint) or hint
    if isinstance(kind, type) and issubclass(kind, RootModel | AsyncIterable):
        return True
    return not is_typeddict(cast("Any", kind)) and says_nothing(hint)


def _is_record(hint: Any) -> bool:
    kind: Any = get_origin(hint) or hint
    return dataclasses.is_dataclass(kind) or (isinstance(kind, type) and issubclass(kind, BaseModel | dict))


def _schema(hints: list[Any], mode: JsonSchemaMode, generator: type[GenerateJsonSchema]) -> dict[str, Any] | None:
    """The schema of what is one of these types; None where it has none that stands alone."""
    try:
        either: Any = Union[tuple(hints)]  # noqa: UP007 - of a list
        made = TypeAdapter[Any](either).json_schema(mode=mode, schema_generator=generator)
        checked_schema(made)
    except Exception:  # noqa: BLE001 - user code: a type may say itself what its schema is
        return None
    return {key: value for key, value in made.items() if (key, value) not in _OWN_TITLES}


def _without_pattern(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_pattern(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: inner for key, inner in cast("dict[str, Any]", value).items() if key != "pattern"}
    return value
