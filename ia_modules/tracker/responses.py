"""What people answered, as the rows have it: whose it is, and the questions together with it.

The name that a key stands for is kept as ``key:ann``, any other as it was said: so it is on record, with each answer,
whether somebody has checked it. Nobody else gives such a name.
"""

from collections import defaultdict
from typing import Any, TypeVar

from ia_modules.answering import answer_columns, names_in
from ia_modules.database.manager import Script, Statement
from ia_modules.errors import InvalidArgument
from ia_modules.models import InteractionRecord, InteractionSummary, ResponseRecord, Row
from ia_modules.payload import check_name, encode
from ia_modules.states import GivenAnswer, InteractionState
from ia_modules.tracker.lists import Sentence
from ia_modules.transitions import Answer, Assignment

_OF_KEY = "key:"

R = TypeVar("R", bound=InteractionRecord)


def checked_actor(actor: str) -> str:
    """A name to be kept with an answer.

    Raises:
        PayloadError: it is empty, or cannot be stored.
        InvalidArgument: it looks like one that was checked.
    """
    if check_name(actor, "name of who answers").startswith(_OF_KEY):
        raise InvalidArgument("name of who answers", repr(actor)[:80], f"one that does not begin with {_OF_KEY!r}")
    return actor


def stored_actor(actor: str, *, verified: bool) -> str:
    """A name as the row of an answer has it; ``verified``: it is that of a key."""
    return f"{_OF_KEY}{actor}" if verified else actor


def states(sentence: Sentence, rows: list[dict[str, Any]]) -> Script[list[InteractionState]]:
    """What decisions need to know of questions; ``rows``: of ``read_interaction``."""
    answers = yield from _answers(sentence("list_responses"), rows)
    return [
        InteractionState.from_row(
            {**row, "responses": tuple(GivenAnswer.from_row(each) for each in answers[row["interaction_id"]])}
        )
        for row in rows
    ]


def summaries(sentence: Sentence, rows: list[dict[str, Any]]) -> Script[list[InteractionSummary]]:
    """Questions with who answered; ``rows``: of ``changed_interactions`` or ``list_interactions``."""
    answers = yield from _answers(sentence("list_responders"), rows)
    return [InteractionSummary.from_row(_with_answers(row, answers[row["interaction_id"]])) for row in rows]


def records(sentence: Sentence, rows: list[dict[str, Any]], kind: type[R]) -> Script[list[R]]:
    """Questions with their answers; ``rows``: of ``get_interactions`` or ``get_interaction``."""
    answers = yield from _answers(sentence("list_responses"), rows)
    return [kind.from_row(_with_answers(row, answers[row["interaction_id"]])) for row in rows]


def question_row(question: InteractionState, change: Answer | Assignment | None) -> dict[str, Any]:
    """What a decision changes in a question's row; ``change``: what it was decided on."""
    users = list(names_in(question.assigned_users)) if isinstance(change, Assignment) else None
    return {
        "interaction_id": question.interaction_id,
        "status": question.status,
        "closed": question.status != "pending",
        "assigned_users": None if users is None else encode(users, "assigned_users"),
    }


def response_row(answer: Answer, response: GivenAnswer) -> dict[str, Any]:
    """The row of an answer, as it was decided."""
    return {
        "interaction_id": answer.interaction_id,
        "actor": stored_actor(answer.actor, verified=answer.verified),
        "revision": response.revision,
        "response": answer.response,
    }


def _answers(sql: str, rows: list[dict[str, Any]]) -> Script[defaultdict[str, list[Row]]]:
    """The rows of the answers of each question, in their order, with the names as they are told."""
    answers: defaultdict[str, list[Row]] = defaultdict(list)
    ids = [{"interaction_id": row["interaction_id"]} for row in rows]
    for row in (yield Statement(sql, ids)) if ids else []:
        actor: str = row["actor"]
        named = {"actor": actor.removeprefix(_OF_KEY), "verified": actor.startswith(_OF_KEY)}
        answers[row["interaction_id"]].append({**row, **named})
    return answers


def _with_answers(row: Row, answers: list[Row]) -> Row:
    responses = tuple(ResponseRecord.from_row(each) for each in answers)
    columns = answer_columns(row["status"], row["answers"], responses)
    text = answers[-1]["response"] if columns["response"] is not None else None  # parsed with the row
    return {**row, **columns, "response": text, "responses": responses}
