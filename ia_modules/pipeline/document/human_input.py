"""Questions to people: the question, the schema of its answer, and the result of the step that asked."""

from collections.abc import Mapping, Set
from typing import Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import BeforeValidator, Field, PlainValidator, ValidationInfo, WithJsonSchema, model_validator

from ia_modules.answering import too_few_users
from ia_modules.errors import InvalidValue
from ia_modules.payload import NAME_LIMIT_CHARACTERS
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


def _answers(value: Any) -> Any:
    if value == "all" or (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_ANSWERS):
        return cast(Any, value)
    raise InvalidValue(shown(value), f"all, or a number from 1 to {MOST_ANSWERS}")


MOST_ANSWERS = 1000
"""People that one question may need."""


class HumanInput(Document):
    """A question to a person, or to several.

    Attributes:
        ui_schema: JSON Schema of the answer.
        timeout_seconds: how long it waits; None: for ever.
        assigned_users: the names of those who may answer; nobody and no role: everybody may.
        assigned_role: whoever has this role may answer too.
        answers: how many people are to answer, or ``all`` of ``assigned_users``.
        decided_by: the field of an answer by which it is decided when so many have given that the same value.
        carries: a re-run with an edit before it keeps the answer.
        on_timeout: ``fail``, the default answer (a mapping), or the id of the step that goes on without an answer.
    """

    ui_schema: Annotated[JsonSchema, BeforeValidator(_answer_schema)] = Field(
        default_factory=lambda: {"type": "object"}
    )
    prompt: str | None = None
    timeout_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    assigned_users: Many[Annotated[str, Field(min_length=1, max_length=NAME_LIMIT_CHARACTERS)]] = ()
    assigned_role: Annotated[str, Field(min_length=1, max_length=NAME_LIMIT_CHARACTERS)] | None = None
    answers: Annotated[
        int | Literal["all"],
        PlainValidator(_answers),
        WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": MOST_ANSWERS}, {"const": "all"}]}),
    ] = 1
    decided_by: Annotated[str, Field(min_length=1)] | None = None
    carries: bool = False
    on_timeout: Annotated[
        str | dict[str, Any], PlainValidator(_on_timeout), WithJsonSchema({"type": ["string", "object"]})
    ] = "fail"

    @property
    def needed_answers(self) -> int | None:
        """Of how many people it needs answers; None: of all that it is assigned to."""
        return None if self.answers == "all" else self.answers

    @model_validator(mode="after")
    def _enough_people_may_answer(self, info: ValidationInfo) -> Self:
        if {"assigned_users", "assigned_role"} & set(info.context or ()):
            return self  # who that is, is not known before it is asked
        too_few = too_few_users(self.needed_answers, self.assigned_users, role=self.assigned_role)
        if too_few is not None:
            raise InvalidValue(*too_few, inside=("assigned_users",))
        return self

    @model_validator(mode="after")
    def _answers_have_what_decides(self, info: ValidationInfo) -> Self:
        """The field that decides is one of the answer's, where its schema names those."""
        fields = self.ui_schema.get("properties") if isinstance(self.ui_schema, dict) else None
        if self.decided_by is None or not isinstance(fields, dict) or "ui_schema" in (info.context or ()):
            return self
        names = [*cast("dict[str, Any]", fields)]
        if self.decided_by not in names:
            expected = f"a field of the answer: {', '.join(names) or 'it has none'}"
            found, hint = f"the field {shown(self.decided_by)}", did_you_mean(self.decided_by, names)
            raise InvalidValue(found, expected, hint, inside=("decided_by",))
        return self

    @model_validator(mode="after")
    def _default_answer_fits(self) -> Self:
        problems = problems_of(self.on_timeout, self.ui_schema) if isinstance(self.on_timeout, dict) else []
        if problems:
            found = f"a default answer that ui_schema refuses ({problems[0].where}: {problems[0].found})"
            raise InvalidValue(found, "an answer that a person could give", inside=("on_timeout",))
        return self


QUESTION_KEYS = frozenset(HumanInput.model_fields)
"""Keys of a question, in the config of a ``human_input`` step or in the result of any step that pauses."""


def question_of_config(config: Mapping[str, Any], *, unknown: Set[str]) -> HumanInput:
    """The question that a config asks, but for the keys that are filled in when it is asked.

    Raises:
        pydantic.ValidationError: it is none.
    """
    known = {key: config[key] for key in QUESTION_KEYS & config.keys() if key not in unknown}
    return HumanInput.model_validate(known, context=unknown)


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

    ``answer`` is None when nobody answered one that takes one answer, and ``on_timeout`` names a step.
    """
    result = {key: value for key, value in result.items() if key not in QUESTION_KEYS and key != "status"}
    return {**result, "human_input": answer}
