"""What all answers share: times, ids, and how an answer is read from a record."""

from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from ia_modules.models import format_time
from ia_modules.payload import ID_LIMIT_CHARACTERS

ID_PATTERN = r"^[\w.:-]{1,200}$"
"""What may be an id at all; what may not is not asked of the database."""

LARGEST_CURSOR = 2**31 - 1
"""No execution changes so often, no pipeline has so many versions; both databases take it as a number."""

JsonObject = dict[str, Any]


def storable(text: str) -> str:
    """The same text; refused where a database cannot keep it."""
    if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise PydanticCustomError("text_not_storable", "Input should be text without NUL and half surrogate pairs")
    return text


PipelineName = Annotated[str, StringConstraints(min_length=1, max_length=ID_LIMIT_CHARACTERS), AfterValidator(storable)]
"""What may name a pipeline: its slug, which other programs may choose as they like, or its id."""

Time = Annotated[
    datetime,
    PlainSerializer(format_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""ISO 8601 in UTC, always with microseconds, so that the order of the texts is the order of the times."""


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError(
            "time_out_of_range", "Input should be a time of the years 1 to 9999 also in UTC"
        ) from None


TimeParameter = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time that a client names, in UTC; at the ends of the calendar its own zone may name one that UTC cannot."""


class Out(BaseModel):
    """An answer, read from the attributes of what it is about."""

    model_config = ConfigDict(from_attributes=True, frozen=True)

    @classmethod
    def from_record(cls, record: object) -> Self:
        return cls.model_validate(record)
