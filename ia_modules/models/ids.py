"""Ids of rows, and what is one; made later, they sort later."""

import re
from typing import NewType

import uuid_utils

PipelineId = NewType("PipelineId", str)

ExecutionId = NewType("ExecutionId", str)

StepExecutionId = NewType("StepExecutionId", str)

WorkerId = NewType("WorkerId", str)

RunPath = NewType("RunPath", str)


def new_id() -> str:
    """A UUIDv7 as text: ids made later sort later, so a list ordered by id is ordered by time (RFC 9562)."""
    return str(uuid_utils.uuid7())


NO_ID = "00000000-0000-0000-0000-000000000000"
"""The id that no row has; it comes before every other."""

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_id(text: object) -> bool:
    """Whether a row may have this id: it is a UUID as we write it. In capitals or in braces it is no id."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def sought_id(text: str | None) -> str | None:
    """The id to look for, for a text that came from outside; :data:`NO_ID` where it is none, so nothing is found."""
    return text if text is None or is_id(text) else NO_ID


def ids_beginning(text: str) -> tuple[str, str] | None:
    """The lowest and the highest id that begin with a text; None where no id does."""
    lowest, highest = text + NO_ID[len(text) :], text + NO_ID.replace("0", "f")[len(text) :]
    return (lowest, highest) if is_id(lowest) else None
