"""Questions to people: which ones there are, one of them, answers, and who is to answer.

With keys it is the key that answers, and an approver's sees only what is assigned to it or to nobody: whatever it asks
about another question is answered with 403.
"""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query

from ia_modules.errors import InvalidArgument
from ia_modules.models import InteractionRecord
from ia_modules.pipeline.answers import may_answer
from showcase_app.backend.api.bodies import takes
from showcase_app.backend.api.problems import described
from showcase_app.backend.dependencies import Actor, CurrentCaller, Door, IdempotencyKey, Keys
from showcase_app.backend.schemas.base import ID_PATTERN
from showcase_app.backend.schemas.interactions import (
    AnswerEachOut,
    AnswerEachRequest,
    AnswerRequest,
    AssignRequest,
    InteractionCountOut,
    InteractionDetail,
    InteractionPageOut,
    InteractionQuery,
)
from showcase_app.backend.services.keyring import Caller, Keyring

router = APIRouter(prefix="/api/interactions", tags=["interactions"])

InteractionId = Annotated[str, Path(pattern=ID_PATTERN)]

_NOT_FOUND = {404: "There is none with this id."}
_CLOSED = {**_NOT_FOUND, 409: "It is not open any more: `answered` says who was first, and when."}


@router.get("", summary="List questions to people")
async def list_interactions(
    client: Door, caller: CurrentCaller, query: Annotated[InteractionQuery, Query()]
) -> InteractionPageOut:
    """Newest first, without what led to them and what was answered. Pages stay put while new ones are asked."""
    filters = query.as_filters(caller.only_asked)
    return InteractionPageOut.of(await client.interactions(filters, cursor=query.cursor, limit=query.limit))


@router.get("/count", summary="Count the questions that wait for an answer")
async def count_interactions(client: Door, caller: CurrentCaller) -> InteractionCountOut:
    """Those that are pending; for an approver, those that it may answer. Cheap enough to be asked often."""
    return InteractionCountOut.from_record(await client.open_interactions(caller.only_asked))


@router.post(
    "/bulk",
    summary="Give many questions the same answer",
    responses=described({404: "There is none with one of these ids."}),
    openapi_extra=takes(2**20),
)
async def answer_interactions(
    client: Door,
    caller: CurrentCaller,
    keyring: Keys,
    request: AnswerEachRequest,
    idempotency_key: IdempotencyKey = None,
) -> AnswerEachOut:
    """Each is answered by itself, and those that were answered meanwhile are listed. They must be alike.

    Where one of them is assigned to others than an approver, none of its answers is kept.
    """
    if caller.only_asked is not None:
        for interaction_id in request.interaction_ids:
            _refuse_strangers(await client.interaction(interaction_id), caller)
    result = await client.answer_each(
        request.interaction_ids,
        request.response,
        idempotency_key=idempotency_key,
        actor=_answerer(caller, keyring, request),
        role=caller.role if keyring.required else None,
        verified=keyring.required,
    )
    return AnswerEachOut.of(result)


@router.get("/{interaction_id}", summary="Read a question", responses=described(_NOT_FOUND))
async def get_interaction(client: Door, caller: CurrentCaller, interaction_id: InteractionId) -> InteractionDetail:
    """The prompt, the schema of the answer, what led to it, whom it is assigned to, and the answers so far."""
    question = await client.interaction(interaction_id)
    if caller.only_asked is not None:
        _refuse_strangers(question, caller)
    return InteractionDetail.from_record(question)


@router.post(
    "/{interaction_id}/respond",
    summary="Answer a question",
    status_code=HTTPStatus.ACCEPTED,
    responses=described(_CLOSED),
    openapi_extra=takes(2**20),
)
async def answer_interaction(
    client: Door,
    caller: CurrentCaller,
    keyring: Keys,
    interaction_id: InteractionId,
    request: AnswerRequest,
    idempotency_key: IdempotencyKey = None,
) -> InteractionDetail:
    """Keeps the answer; the execution goes on when that decides the question.

    It is checked first against `ui_schema` and against whom the question is assigned to. The same answer of the same
    person may be sent again. Another one, while the question is open, is kept beside the first, and counts.
    """
    actor = _answerer(caller, keyring, request)
    question = await client.interaction(interaction_id)
    if keyring.required and (question.status == "pending" or caller.only_asked is not None):
        _refuse_strangers(question, caller)
    await client.answer(
        interaction_id,
        request.response,
        idempotency_key=idempotency_key,
        actor=actor,
        role=caller.role if keyring.required else None,
        verified=keyring.required,
    )
    return InteractionDetail.from_record(await client.interaction(interaction_id))


@router.post("/{interaction_id}/assign", summary="Let others answer a question", responses=described(_CLOSED))
async def assign_interaction(
    client: Door,
    actor: Actor,
    keyring: Keys,
    interaction_id: InteractionId,
    request: AssignRequest,
    idempotency_key: IdempotencyKey = None,
) -> InteractionDetail:
    """By name; nobody: it is assigned to nobody by name. What was answered stays, and may decide it now."""
    names = keyring.names
    for user in request.assigned_users if keyring.required else ():
        if user not in names:
            raise InvalidArgument("assigned_users", repr(user), f"names of keys: {', '.join(names)}")
    question = await client.assign(interaction_id, request.assigned_users, idempotency_key=idempotency_key, actor=actor)
    return InteractionDetail.from_record(question)


def _answerer(caller: Caller, keyring: Keyring, request: AnswerRequest) -> str | None:
    """Who answers: with keys the key's name; without, who was said to; None: nobody was.

    Raises:
        InvalidArgument: another name than the key's was said.
    """
    if not keyring.required:
        return request.responded_by
    if request.responded_by not in (None, caller.actor):
        raise InvalidArgument("responded_by", repr(request.responded_by), f"the name of the key, {caller.actor!r}")
    return caller.actor


def _refuse_strangers(question: InteractionRecord, caller: Caller) -> None:
    """Raise 403 where a question is assigned to others."""
    if not may_answer(question, caller.actor, caller.role):
        detail = f"Interaction {question.interaction_id!r} is assigned to others, not to {caller.actor!r}."
        raise HTTPException(HTTPStatus.FORBIDDEN, detail)
