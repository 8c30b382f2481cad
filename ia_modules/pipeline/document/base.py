"""The base of every model that a pipeline file is made of: one spelling inside, strict types, no unknown keys."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, LiteralString, Self, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from ia_modules.errors import InvalidValue

T = TypeVar("T")


def _not_empty(entries: tuple[T, ...]) -> tuple[T, ...]:
    if not entries:
        raise InvalidValue("an empty list", "at least one entry")
    return entries


Many = Annotated[tuple[T, ...], Field(strict=False)]
"""A list in JSON, a tuple here."""

Some = Annotated[tuple[T, ...], Field(strict=False, json_schema_extra={"minItems": 1}), AfterValidator(_not_empty)]
"""The same with at least one entry."""


class Document(BaseModel):
    """A mapping of a pipeline file.

    A subclass names its keys by its fields. Everything else that may stand in a file is turned into these before the
    fields are read, so no code after the loader sees other spellings.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", serialize_by_alias=True)

    also_spelled: ClassVar[Mapping[str, str]] = {}
    """Other spelling of a key → the key."""

    ignored: ClassVar[frozenset[str]] = frozenset()
    """Keys of older files that have no effect."""

    @classmethod
    def spelled_out(cls, data: dict[str, Any]) -> dict[str, Any]:
        """The mapping in its one spelling; ``data`` may be changed."""
        return data

    @classmethod
    def known_keys(cls) -> set[str]:
        """Every key that may be written here."""
        return {field.alias or name for name, field in cls.model_fields.items()} | cls.also_spelled.keys() | cls.ignored

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, dict):
            return handler(data)
        written = cls.spelled_out(_one_spelling(cast(dict[str, Any], data), cls.also_spelled))
        is_open = cls.model_config.get("extra") == "allow"
        unknown = {} if is_open else {key: value for key, value in written.items() if key not in cls.known_keys()}
        known = {key: value for key, value in written.items() if key not in unknown and key not in cls.ignored}
        if not unknown:
            return handler(known)
        problems = [_unknown_key(key, value, cls.known_keys()) for key, value in unknown.items()]
        try:
            handler(known)
        except ValidationError as wrong:
            problems += [_again(error) for error in wrong.errors()]
        raise ValidationError.from_exception_data(cls.__name__, problems)


def _one_spelling(data: dict[str, Any], also_spelled: Mapping[str, str]) -> dict[str, Any]:
    for other, key in also_spelled.items():
        if other in data and key in data:
            raise InvalidValue(
                f"both {key!r} and {other!r}", f"only one of them: {other!r} is another word for {key!r}"
            )
    return {also_spelled.get(key, key): value for key, value in data.items()}


def _unknown_key(key: str, value: Any, known: set[str]) -> InitErrorDetails:
    problem = PydanticCustomError("unknown_key", "unknown key", {"known": sorted(known)})
    return InitErrorDetails(type=problem, loc=(key,), input=value)


def _again(error: ErrorDetails) -> InitErrorDetails:
    """An error that was reported, to be reported together with others."""
    context = {**error.get("ctx", {}), "message": error["msg"]}
    problem = PydanticCustomError(cast(LiteralString, error["type"]), "{message}", context)
    return InitErrorDetails(type=problem, loc=error["loc"], input=error["input"])
