"""Questions to people: the question, the schema of its answer, and the result of the step that asked."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self, cast

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from ia_modules.errors import InvalidValue
from ia_modules.pipeline.document.base import Document, Many, Some
from ia_modules.pipeline.document.json_schema import JsonSchema, problems_of
from ia_modules.pipeline.document.wording import did_you_mean, shown

HUMAN_INPUT_REQUIRED = "human_input_required"
"""A step whose result has this ``status`` waits for a person."""

_SCHEMA_OF_TYPE: Mapping[str, Mapping[str, Any]] = {
    "text": {"type": "string"},
    "string": {"type": "string"},
    "textarea": {"type": "string", "x-widget": "textarea"},
    "email": {"type": "string", "format": "email"},
    "url": {"type": "string", "format": "uri"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "number": {"type": "number"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "checkbox": {"type": "boolean"},
    "select": {},
    "dropdown": {},
    "radio": {"x-widget": "radio"},
    "multiselect": {"type": "array", "uniqueItems": True},
    "checkboxes": {"type": "array", "uniqueItems": True, "x-widget": "checkboxes"},
}
_ONE_OF_OPTIONS = ("select", "dropdown", "radio")
_SOME_OF_OPTIONS = ("multiselect", "checkboxes")


def _scalar(value: Any) -> Any:
    if not isinstance(value, str | int | float | bool):
        raise InvalidValue(shown(value), "a text, a number or a boolean")
    return value


class _Option(Document):
    value: Annotated[str | int | float | bool, PlainValidator(_scalar)]
    label: str | None = None

    def as_schema(self) -> dict[str, Any]:
        return {"const": self.value, **({"title": self.label} if self.label else {})}


def _option(raw: Any) -> Any:
    return cast(Any, raw) if isinstance(raw, dict) else {"value": raw}


class _FormField(Document):
    ignored: ClassVar = frozenset({"placeholder", "rows", "step"})

    name: Annotated[str, Field(min_length=1)]
    type: str = "text"
    label: str | None = None
    description: str | None = None
    required: bool = False
    options: Many[Annotated[_Option, BeforeValidator(_option)]] = ()
    default: Any = None
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _type_is_known(self) -> Self:
        if self.type not in _SCHEMA_OF_TYPE:
            hint = did_you_mean(self.type, _SCHEMA_OF_TYPE)
            raise InvalidValue(f"the field type {shown(self.type)}", f"one of {', '.join(_SCHEMA_OF_TYPE)}", hint)
        if self.type in _ONE_OF_OPTIONS + _SOME_OF_OPTIONS and not self.options:
            raise InvalidValue(f"a field of type {self.type} without options", "at least one option")
        return self

    def as_schema(self) -> dict[str, Any]:
        written = {"title": self.label, "description": self.description, "default": self.default}
        limits = {"minimum": self.min, "maximum": self.max}
        present = {key: value for key, value in {**written, **limits}.items() if value is not None}
        return {**_SCHEMA_OF_TYPE[self.type], **self._choice(), **present}

    def _choice(self) -> dict[str, Any]:
        labelled = any(option.label for option in self.options)
        choice: dict[str, Any] = (
            {"oneOf": [option.as_schema() for option in self.options]}
            if labelled
            else {"enum": [option.value for option in self.options]}
        )
        if self.type in _ONE_OF_OPTIONS:
            return choice
        return {"items": choice} if self.type in _SOME_OF_OPTIONS else {}


class _Form(Document):
    """A form: the short spelling of an answer's schema."""

    ignored: ClassVar = frozenset({"type"})

    title: str | None = None
    description: str | None = None
    fields: Some[_FormField]

    def as_schema(self) -> dict[str, Any]:
        present = {"title": self.title, "description": self.description}
        return {
            "type": "object",
            **{key: value for key, value in present.items() if value is not None},
            "properties": {each.name: each.as_schema() for each in self.fields},
            "required": [each.name for each in self.fields if each.required],
        }


def _answer_schema(raw: Any) -> Any:
    """A form is turned into JSON Schema; what is JSON Schema stays."""
    if isinstance(raw, dict) and "fields" in raw:
        return _Form.model_validate(raw).as_schema()
    return cast(Any, raw)


def _on_timeout(value: Any) -> Any:
    if not isinstance(value, str | dict):
        raise InvalidValue(shown(value), "fail, a default answer (a mapping), or the id of a step")
    return cast(Any, value)


class HumanInput(Document):
    """A question to a person.

    Attributes:
        ui_schema: JSON Schema of the answer.
        timeout_seconds: how long it waits; None: for ever.
        on_timeout: ``fail``, the default answer (a mapping), or the id of the step that goes on without an answer.
    """

    ui_schema: Annotated[JsonSchema, BeforeValidator(_answer_schema)] = Field(
        default_factory=lambda: {"type": "object"}
    )
    prompt: str | None = None
    timeout_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    assigned_users: Many[str] = ()
    on_timeout: Annotated[
        str | dict[str, Any], PlainValidator(_on_timeout), WithJsonSchema({"type": ["string", "object"]})
    ] = "fail"

    @model_validator(mode="after")
    def _default_answer_fits(self) -> Self:
        problems = problems_of(self.on_timeout, self.ui_schema) if isinstance(self.on_timeout, dict) else []
        if problems:
            found = f"a default answer that ui_schema refuses ({problems[0].where}: {problems[0].found})"
            raise InvalidValue(found, "an answer that a person could give", inside=("on_timeout",))
        return self


QUESTION_KEYS = frozenset(HumanInput.model_fields)
"""Keys of a question, in the config of a ``human_input`` step or in the result of any step that pauses."""


def is_question(result: Mapping[str, Any]) -> bool:
    """True when a step's result is a question to a person."""
    return result.get("status") == HUMAN_INPUT_REQUIRED


def question(config: Mapping[str, Any], result: Mapping[str, Any]) -> HumanInput:
    """The question of a waiting step: from its result, else from its config (placeholders filled in).

    Raises:
        pydantic.ValidationError: the result of the step's code is not a valid question.
    """
    present = {key: value for source in (config, result) for key, value in source.items() if value is not None}
    return HumanInput.model_validate({key: present[key] for key in QUESTION_KEYS & present.keys()})


def answered(result: Mapping[str, Any], answer: Any) -> dict[str, Any]:
    """The result of a waiting step: what its code returned, without the keys of the question, plus ``human_input``.

    ``answer`` is None when nobody answered and ``on_timeout`` names a step.
    """
    result = {key: value for key, value in result.items() if key not in QUESTION_KEYS and key != "status"}
    return {**result, "human_input": answer}
