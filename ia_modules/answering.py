"""What people make of a question: who has answered, whether that decides it, and who may answer from here on."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeVar, cast

import orjson
from msgspec.structs import replace

from ia_modules.errors import AlreadyAnswered, TooFewUsers
from ia_modules.models import Json, JsonText, ResponseRecord
from ia_modules.states import GivenAnswer, InteractionState
from ia_modules.transitions import Answer, Assignment


class _OfPerson(Protocol):
    @property
    def actor(self) -> str: ...


A = TypeVar("A", bound=_OfPerson)


def newest_of_each(responses: Iterable[A]) -> list[A]:
    """The answers that count: the newest of each person, in their order."""
    newest: dict[str, A] = {}
    for each in responses:
        newest.pop(each.actor, None)
        newest[each.actor] = each
    return list(newest.values())


def is_same(one: Json, other: Json) -> bool:
    """Whether two answers say the same, in whatever order of their keys; 1 and 1.0 are not the same text."""
    return _sorted(one) == _sorted(other)


def names_in(assigned_users: Json) -> tuple[str, ...]:
    """The names that a question is assigned to, as its row has them."""
    return tuple(dict.fromkeys(cast("list[str]", assigned_users or [])))


def answered(question: InteractionState, answer: Answer) -> InteractionState:
    """The question with one more answer; the same object where that person has answered the same before.

    Raises:
        AlreadyAnswered: it is not open any more.
    """
    own = [each for each in question.responses if each.actor == answer.actor]
    if own and is_same(orjson.loads(own[-1].response), orjson.loads(answer.response)):
        return question
    _refuse_closed(question)
    response = GivenAnswer(actor=answer.actor, revision=len(own) + 1, response=answer.response)
    return _closed_if_decided(replace(question, responses=(*question.responses, response)))


def assigned(question: InteractionState, assignment: Assignment) -> InteractionState:
    """The question for others to answer; the same object where it is theirs already.

    Raises:
        AlreadyAnswered: it is not open any more.
        TooFewUsers: they could never decide it.
    """
    users = tuple(dict.fromkeys(assignment.users))
    if users == names_in(question.assigned_users):
        return question
    _refuse_closed(question)
    if (too_few := too_few_users(question.answers, users, role=question.assigned_role)) is not None:
        raise TooFewUsers(question.interaction_id, *too_few)
    return _closed_if_decided(replace(question, assigned_users=list(users)))


def too_few_users(answers: int | None, users: tuple[str, ...], *, role: str | None) -> tuple[str, str] | None:
    """Why so many answers never come from these users, as found and expected; None: they can.

    Args:
        answers: how many it needs; None: of all of them.
        role: whoever has it may answer too.
    """
    if answers is None and not users:
        return "nobody, where all who are assigned are to answer", "at least one name"
    if answers is not None and users and role is None and len(set(users)) < answers:
        return f"{len(set(users))} names, where {answers} are to answer", f"at least {answers} names, or none at all"
    return None


def is_decided(question: InteractionState) -> bool:
    """Whether its answers are enough.

    ``answers`` people have answered, or all that it is assigned to. With ``decided_by``: so many of them have given
    that field the same value, or no value can come to so many any more, whatever those answer who have not yet.
    """
    users = names_in(question.assigned_users)
    counted = newest_of_each(question.responses)
    if question.answers is None:
        counted = [each for each in counted if each.actor in users]
    needed = question.answers or len(users)
    if question.decided_by is None or needed == 0:
        return 0 < needed <= len(counted)
    values = Counter(_value_of(each.response, question.decided_by) for each in counted)
    most = max((count for value, count in values.items() if value is not None), default=0)
    answered_by = {each.actor for each in counted}
    to_come = sum(user not in answered_by for user in users)
    is_anybody_asked = question.answers is not None and (not users or question.assigned_role is not None)
    return most >= needed or (not is_anybody_asked and most + to_come < needed)


def answer_columns(status: str, answers: int | None, responses: Sequence[ResponseRecord]) -> dict[str, Any]:
    """What a question's record says of who answered: its ``actor``, ``verified``, ``answered_by`` and ``response``.

    Args:
        responses: everything that was answered, in its order.
    """
    last = responses[-1] if status == "answered" and responses else None
    return {
        "actor": None if last is None else last.actor,
        "verified": last is not None and last.verified,
        "answered_by": len({each.actor for each in responses}),
        "response": last.response if last is not None and answers == 1 else None,
    }


def _refuse_closed(question: InteractionState) -> None:
    if question.status != "pending":
        raise AlreadyAnswered(
            question.interaction_id, status=question.status, actor=question.actor, closed_at=question.completed_at
        )


def _closed_if_decided(question: InteractionState) -> InteractionState:
    return replace(question, status="answered") if is_decided(question) else question


def _value_of(response: JsonText, field: str) -> bytes | None:
    """The value of a field as it is compared; None where an answer has none, or null: that agrees with nobody."""
    answer: Any = orjson.loads(response)
    value: Any = cast("dict[str, Any]", answer).get(field) if isinstance(answer, dict) else None
    if value is None:
        return None
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) <= 2**53
    return _sorted(int(value) if is_whole else value)


def _sorted(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
