"""Records of questions to people, and of what they answered."""

from datetime import datetime

from ia_modules.models.ids import ExecutionId, PipelineId, StepExecutionId
from ia_modules.models.records import Json, Record


class ResponseRecord(Record, kw_only=True, frozen=True):
    """What one person answered, once; the newest revision of a person counts.

    ``verified``: the name is that of a key, which the server has checked; otherwise it is what was said.
    """

    actor: str
    verified: bool
    revision: int
    response: Json
    answered_at: datetime


class InteractionSummary(Record, kw_only=True, frozen=True):
    """A question to a person. ``status`` is ``pending``, ``answered``, ``expired`` or ``cancelled``.

    ``deadline_at`` is the time that its attempt waits for; None: it waits for ever. ``actor`` gave the answer that it
    was answered with, the last of several; None until then. ``verified``: that is the name of a key.

    Attributes:
        assigned_users: the names of those who may answer, a list; empty or None: it is assigned to nobody by name.
        assigned_role: whoever has this role may answer too; with neither, everybody may.
        answers: of how many people it needs answers; None: of all that it is assigned to.
        decided_by: the field of an answer by which it is decided when so many agree on it; None: by their number.
        answered_by: how many people have answered so far.
    """

    interaction_id: str
    execution_id: ExecutionId
    step_execution_id: StepExecutionId
    step_id: str
    pipeline_id: PipelineId
    pipeline_name: str
    pipeline_version: int | None
    status: str
    prompt: str | None
    ui_schema: Json
    assigned_users: Json
    assigned_role: str | None
    answers: int | None
    decided_by: str | None
    deadline_at: datetime | None
    created_at: datetime
    completed_at: datetime | None
    actor: str | None
    verified: bool
    answered_by: int
    sequence: int


class InteractionRecord(InteractionSummary, kw_only=True, frozen=True):
    """A question to a person, with what led to it and what was answered.

    Attributes:
        response: the answer of a question that takes one; None until then, and where it takes several.
        responses: everything that was answered, in its order, what was changed later included.
    """

    data: Json
    on_timeout: Json
    response: Json
    responses: tuple[ResponseRecord, ...]


class InteractionWithInput(InteractionRecord, kw_only=True, frozen=True):
    """A question to a person, with all that led to it.

    Attributes:
        input_data: what its execution began with, where the step gave nothing beside the question; None: ``data`` says
            what led to it.
    """

    input_data: Json
