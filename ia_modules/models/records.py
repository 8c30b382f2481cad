"""What a record is: a row with types, the same from both databases.

Rows become typed in records only: ``from_row`` accepts the rows of both databases and ``to_dict`` is equal on both.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, NewType, Self, TypeVar, cast, get_args, get_type_hints

import orjson
from msgspec import Struct

from ia_modules.models.words import ExecutionStatus, LogLevel, StepStatus

Row = Mapping[str, Any]

Json = dict[str, Any] | list[Any] | str | int | float | bool | None

JsonText = NewType("JsonText", str)
"""JSON as it is stored: checked and encoded by :func:`ia_modules.payload.encode`."""


def parse_time(value: datetime | str) -> datetime:
    """A time in UTC from a column of either database: PostgreSQL has a datetime, SQLite ISO 8601 text."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.astimezone(UTC)


def format_time(moment: datetime) -> str:
    """ISO 8601 in UTC, always with microseconds, so that the order of the texts is the order of the times."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@cache
def _readers(record: type) -> dict[str, Callable[[Any], Any] | None]:
    """How each field of a record class is read from a row; None = as it is. What is a record itself is read apart."""
    known: dict[Any, Callable[[Any], Any]] = {
        datetime: parse_time,
        datetime | None: parse_time,
        bool: bool,
        bool | None: bool,
        ExecutionStatus: ExecutionStatus,
        ExecutionStatus | None: ExecutionStatus,
        StepStatus: StepStatus,
        LogLevel: LogLevel,
        Json: orjson.loads,
        dict[str, float]: orjson.loads,
    }
    return {name: known.get(hint) for name, hint in get_type_hints(record).items() if not _is_record(hint)}


def _is_record(hint: Any) -> bool:
    """Whether it is a record, or None."""
    return isinstance(hint, UnionType) and any(
        isinstance(each, type) and issubclass(each, Record) for each in get_args(hint)
    )


R = TypeVar("R", bound="Record")


class Record(Struct, kw_only=True, frozen=True):
    """A row with types. Columns that the record does not name are ignored; one that it names must be there."""

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """The record of a row of either database.

        Raises:
            KeyError: the row lacks a column.
        """
        return cls(**{name: _read(read, row[name]) for name, read in _readers(cls).items()})

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON: statuses as words, times as ISO 8601 text in UTC with microseconds; equal on both databases."""
        return {name: _plain(getattr(self, name)) for name in self.__struct_fields__}

    def narrow(self, to: type[R]) -> R:
        """The part of this record that another record is: all of its fields must be among these."""
        return to(**{name: getattr(self, name) for name in to.__struct_fields__})


def _read(read: Callable[[Any], Any] | None, value: Any) -> Any:
    return value if read is None or value is None else read(value)


def _plain(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple):  # payloads have none
        entries = cast("tuple[object, ...]", value)
        return [each.to_dict() if isinstance(each, Record) else each for each in entries]
    if isinstance(value, Record):
        return value.to_dict()
    return format_time(value) if isinstance(value, datetime) else value


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """Between two points in time; not negative, even when the clock was set back between them."""
    return None if start is None or end is None else max(0.0, (end - start).total_seconds())
