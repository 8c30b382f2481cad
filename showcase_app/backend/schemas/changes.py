"""What is new of an execution, as pages of messages: the same for a GET and for the socket."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field

from ia_modules.models import Changes
from showcase_app.backend.schemas.executions import ExecutionOut, InteractionOut, LogOut, StepOut


class StepMessage(BaseModel):
    type: Literal["step_update"] = "step_update"
    sequence: int
    data: StepOut


class InteractionMessage(BaseModel):
    type: Literal["interaction_update"] = "interaction_update"
    sequence: int
    data: InteractionOut


class LogMessage(BaseModel):
    type: Literal["log"] = "log"
    sequence: int
    data: LogOut


class ExecutionMessage(BaseModel):
    """Ends a page: its ``sequence`` is the cursor that continues after everything before it."""

    type: Literal["execution_update"] = "execution_update"
    sequence: int
    data: ExecutionOut


RowMessage = StepMessage | InteractionMessage | LogMessage
Message = Annotated[RowMessage | ExecutionMessage, Field(discriminator="type")]


def messages_of(changes: Changes) -> list[RowMessage | ExecutionMessage]:
    """The messages of a page in the order of their numbers: a step before its question and lines, the execution last.

    Without changes there is no message.
    """
    if changes.upto == changes.after:
        return []
    rows: list[RowMessage] = [
        *(StepMessage(sequence=step.sequence, data=StepOut.from_record(step)) for step in changes.steps),
        *(
            InteractionMessage(sequence=each.sequence, data=InteractionOut.from_record(each))
            for each in changes.interactions
        ),
        *(LogMessage(sequence=line.sequence, data=LogOut.of(line)) for line in changes.logs),
    ]
    rows.sort(key=lambda row: row.sequence)
    return [*rows, ExecutionMessage(sequence=changes.upto, data=ExecutionOut.from_record(changes.execution))]


class ChangesOut(BaseModel):
    """What is newer than a cursor. ``upto`` is the next cursor; ``more`` says that there is more already."""

    after: int
    upto: int
    more: bool
    messages: list[Message]

    @classmethod
    def of(cls, changes: Changes) -> Self:
        return cls(after=changes.after, upto=changes.upto, more=changes.more, messages=[*messages_of(changes)])
