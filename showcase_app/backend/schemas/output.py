"""What steps give as it comes."""

from typing import Any, Self

from pydantic import Field

from ia_modules.pieces import OutputPage, OutputPiece
from showcase_app.backend.schemas.base import Out, Time


class OutputPieceOut(Out):
    """What an attempt gave in one channel within some 200 ms: text, or else values."""

    log_id: str
    execution_id: str
    within: str = Field(description="The path of the run that the attempt is within; empty for the graph's own steps.")
    step_execution_id: str | None
    step_id: str | None
    iteration: int | None
    attempt: int | None
    channel: str | None
    text: str = Field(description="All of it joined; empty where there are values.")
    values: list[Any] = Field(description="JSON, each as it was given; empty where there is text.")
    is_left_out: bool = Field(
        description="It stands for all that the attempt gave after it, which is not kept; the text says so."
    )
    emitted_at: Time
    sequence: int
    cursor: str = Field(description="What comes after this piece is asked for with it.")

    @classmethod
    def of(cls, piece: OutputPiece) -> Self:
        return cls.model_validate(piece.to_dict() | {"cursor": piece.cursor})


class OutputPageOut(Out):
    """Some pieces in their order, of one moment."""

    items: list[OutputPieceOut]
    cursor: str = Field(description="Of what comes after these.")
    more: bool = Field(description="There is more already.")
    is_over: bool = Field(description="Nothing comes after what there is: what gave it has ended.")

    @classmethod
    def of(cls, page: OutputPage) -> Self:
        items = [OutputPieceOut.of(piece) for piece in page.items]
        return cls(items=items, cursor=page.cursor, more=page.more, is_over=page.is_over)


class OutputEnd(Out):
    """The last event of a stream."""

    cursor: str
