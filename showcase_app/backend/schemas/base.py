"""What all answers share: times, ids, and how an answer is read from a record."""

from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from ia_modules.models import format_time

ID_PATTERN = r"^[\w.:-]{1,200}$"
"""What may be an id at all; what may not is not asked of the database."""

SLUG_PATTERN = r"^[^\s/\x00-\x1f]{1,200}$"
"""What may be the slug of a pipeline, or its id."""

LARGEST_CURSOR = 2**31 - 1
"""No execution changes so often, no pipeline has so many versions; both databases take it as a number."""

JsonObject = dict[str, Any]

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
