"""What steps give as it comes, as readers get it: pieces of text or JSON, each with the cursor of what follows."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from ia_modules.errors import InvalidArgument
from ia_modules.models import (
    GAP_LOGGER,
    NO_ID,
    ExecutionId,
    Json,
    Record,
    RunPath,
    StepExecutionId,
    is_id,
)


class OutputPiece(Record, kw_only=True, frozen=True):
    """What an attempt gave in one channel within some 200 ms: text, or else values.

    Attributes:
        within: the path of the run that the attempt's run is a part of; empty for a step of the graph.
        channel: of text and values; None: it was recorded by hand, without one.
        text: all of it joined; empty where there are values.
        values: JSON, each as it was given; empty where there is text.
        is_left_out: it stands for all that the attempt gave after it, which is not kept; the text says so.
        sequence: of the execution, at which it was written.
    """

    log_id: str
    execution_id: ExecutionId
    within: RunPath
    step_execution_id: StepExecutionId | None
    step_id: str | None
    iteration: int | None
    attempt: int | None
    channel: str | None
    text: str
    values: tuple[Json, ...]
    is_left_out: bool
    emitted_at: datetime
    sequence: int

    @property
    def cursor(self) -> str:
        """What comes after this piece is read with it, by any process and after any time."""
        return f"{self.sequence}:{self.log_id}"


class OutputRow(Record, kw_only=True, frozen=True):
    """A line of level ``output`` as it is stored, with what its attempt is of; of a line of no attempt, None."""

    log_id: str
    execution_id: ExecutionId
    within: RunPath
    step_execution_id: StepExecutionId | None
    step_id: str | None
    iteration: int | None
    attempt: int | None
    logger: str | None
    message: str
    data: Json
    logged_at: datetime
    sequence: int


class OutputPage(Struct, kw_only=True, frozen=True):
    """Some pieces in their order, of one moment.

    Attributes:
        cursor: of what comes after these.
        more: there is more already.
        is_over: nothing comes after what there is: what gave it has ended.
        rests: nothing comes until somebody does something, such as answering a question.
    """

    items: tuple[OutputPiece, ...]
    cursor: str
    more: bool
    is_over: bool
    rests: bool


class OutputCursor(NamedTuple):
    """What has been read: all before a sequence, and of that what is not after a line."""

    sequence: int
    log_id: str

    @classmethod
    def of(cls, text: str | int | None) -> "OutputCursor":
        """The cursor that a text is: that of a piece, or a sequence, of which everything was read; None: the beginning.

        Raises:
            InvalidArgument: it is none.
        """
        if text is None or text == "":
            return cls(0, NO_ID)
        found = re.fullmatch(r"([0-9]{1,18})(?::(.*))?", str(text))
        if found is None or (found[2] is not None and not is_id(found[2])):
            expected = "the cursor of a piece, a sequence, or none"
            raise InvalidArgument("cursor", repr(text)[:80], expected)
        return cls(int(found[1]) + 1, NO_ID) if found[2] is None else cls(int(found[1]), found[2])

    def __str__(self) -> str:
        return f"{self.sequence}:{self.log_id}"

    def is_before(self, sequence: int, log_id: str) -> bool:
        return (self.sequence, self.log_id) < (sequence, log_id)


def output_page(
    rows: Iterable[OutputRow], cursor: OutputCursor, *, limit: int, is_over: bool, rests: bool
) -> OutputPage:
    """The page of these rows, of which there may be one more than ``limit``."""
    pieces = list(_pieces(rows))
    items = tuple(pieces[:limit])
    after = items[-1].cursor if items else str(cursor)
    return OutputPage(items=items, cursor=after, more=len(pieces) > limit, is_over=is_over, rests=rests)


def _pieces(rows: Iterable[OutputRow]) -> Iterator[OutputPiece]:
    for row in rows:
        is_left_out = row.logger == GAP_LOGGER
        values = tuple(row.data) if isinstance(row.data, list) else () if row.data is None else (row.data,)
        yield OutputPiece(
            log_id=row.log_id,
            execution_id=row.execution_id,
            within=row.within,
            step_execution_id=row.step_execution_id,
            step_id=row.step_id,
            iteration=row.iteration,
            attempt=row.attempt,
            channel=None if is_left_out else row.logger,
            text=row.message,
            values=() if is_left_out else values,
            is_left_out=is_left_out,
            emitted_at=row.logged_at,
            sequence=row.sequence,
        )
