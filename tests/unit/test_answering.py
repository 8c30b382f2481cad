"""What decides a question: how many people have answered, or agree."""

from typing import Any

import pytest

from ia_modules.answering import answered, assigned, is_decided, is_same, newest_of_each, too_few_users
from ia_modules.errors import AlreadyAnswered, TooFewUsers
from ia_modules.payload import encode
from ia_modules.states import GivenAnswer, InteractionState
from ia_modules.transitions import Answer, Assignment
from tests.unit.rows import question


def answers_of(*answers: tuple[str, Any]) -> tuple[GivenAnswer, ...]:
    return tuple(GivenAnswer(actor=actor, revision=1, response=encode(value, "answer")) for actor, value in answers)


def votes(text: str) -> tuple[GivenAnswer, ...]:
    """``a+ b-``: ann says yes, bob says no."""
    names = {"a": "ann", "b": "bob", "c": "cleo", "d": "dan"}
    values = {"+": {"yes": True}, "-": {"yes": False}, "0": {}, "~": {"yes": None}}
    return answers_of(*((names[who], values[what]) for who, what in text.split()))


def answer(actor: str, value: Any) -> Answer:
    return Answer(interaction_id="q", actor=actor, response=encode(value, "answer"))


def pending(**columns: Any) -> InteractionState:
    return question("pending", **columns)


def test_the_newest_answer_of_a_person_counts_at_its_own_place() -> None:
    every = answers_of(("ann", 1), ("bob", 2), ("ann", 3))
    assert [(each.actor, each.response) for each in newest_of_each(every)] == [("bob", "2"), ("ann", "3")]


@pytest.mark.parametrize(
    ("answers", "users", "text", "decided"),
    [
        (1, [], "", False),
        (1, [], "a+", True),
        (2, [], "a+", False),
        (2, [], "a+ a-", False),
        (2, [], "a+ b-", True),
        (None, ["ann", "bob"], "a+", False),
        (None, ["ann", "bob"], "a+ c+", False),
        (None, ["ann", "bob"], "a+ c+ b-", True),
        (None, ["ann", "ann"], "a+", True),
        (None, [], "a+", False),
    ],
)
def test_as_many_people_decide_as_are_to_answer(
    answers: int | None, users: list[str], text: str, *, decided: bool
) -> None:
    assert is_decided(pending(answers=answers, assigned_users=users, responses=votes(text))) is decided


@pytest.mark.parametrize(
    ("answers", "users", "role", "text", "decided"),
    [
        (2, [], None, "a+ b-", False),
        (2, [], None, "a+ b- c-", True),
        (2, [], None, "a+ b- a-", True),
        (2, [], None, "a~ b~ c0", False),
        (2, ["ann", "bob"], None, "a+ b-", True),
        (2, ["ann", "bob", "cleo"], None, "a+ b-", False),
        (3, ["ann", "bob", "cleo"], None, "a+ b-", True),
        (2, ["ann", "bob"], "approver", "a+ b-", False),
        (2, ["ann", "bob"], None, "a0 b+", True),
        (None, ["ann", "bob", "cleo"], None, "a+ b+", False),
        (None, ["ann", "bob", "cleo"], None, "a+ b+ c+", True),
        (None, ["ann", "bob", "cleo"], None, "a+ b-", True),
        (None, ["ann", "bob", "cleo"], "approver", "a+ d+ b+", False),
    ],
)
def test_a_field_decides_when_so_many_agree_or_no_longer_can(
    answers: int | None, users: list[str], role: str | None, text: str, *, decided: bool
) -> None:
    columns = {"answers": answers, "assigned_users": users, "assigned_role": role, "decided_by": "yes"}
    assert is_decided(pending(**columns, responses=votes(text))) is decided


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        (1, 1.0, True),
        (1, True, False),
        ("1", 1, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        (2**53 + 1, 2**53, False),
    ],
)
def test_values_agree_as_json_says(one: object, other: object, *, agree: bool) -> None:
    pair = answers_of(("ann", {"yes": one}), ("bob", {"yes": other}))
    assert is_decided(pending(answers=2, decided_by="yes", responses=pair)) is agree


def test_what_is_no_mapping_agrees_with_nobody() -> None:
    assert not is_decided(pending(answers=2, decided_by="yes", responses=answers_of(("ann", [1]), ("bob", [1]))))


def test_an_answer_is_kept_beside_the_one_that_it_replaces() -> None:
    once = answered(pending(answers=2), answer("ann", 1))
    twice = answered(once, answer("ann", 2))
    assert [(each.actor, each.revision, each.response) for each in twice.responses] == [
        ("ann", 1, "1"),
        ("ann", 2, "2"),
    ]
    assert twice.status == "pending"


def test_the_same_answer_again_changes_nothing_whatever_has_become_of_the_question() -> None:
    value = {"a": 1, "b": [1.0]}
    for status in ("pending", "answered", "expired", "cancelled"):
        known = question(status, answers=2, responses=answers_of(("ann", value)))
        assert answered(known, answer("ann", {"b": [1.0], "a": 1})) is known
    assert not is_same({"a": 1}, {"a": 1.0})


@pytest.mark.parametrize(("status", "by"), [("answered", "bob"), ("expired", None), ("cancelled", None)])
def test_what_is_closed_takes_no_other_answer_and_says_who_was_first(status: str, by: str | None) -> None:
    known = question(status, responses=answers_of(("bob", 1)))
    for late in (answer("ann", 1), answer("bob", 2)):
        with pytest.raises(AlreadyAnswered) as refused:
            answered(known, late)
        assert (refused.value.status, refused.value.actor) == (status, by)
    with pytest.raises(AlreadyAnswered):
        assigned(known, Assignment(interaction_id="q", users=("ann",)))


def test_who_is_to_answer_may_change_and_that_may_decide() -> None:
    known = pending(answers=None, assigned_users=["ann", "bob"], responses=votes("a+"))
    same = assigned(known, Assignment(interaction_id="q", users=("ann", "bob", "ann")))
    assert same is known
    decided = assigned(known, Assignment(interaction_id="q", users=("ann",)))
    assert (decided.status, decided.assigned_users) == ("answered", ["ann"])
    with pytest.raises(TooFewUsers, match="nobody"):
        assigned(known, Assignment(interaction_id="q", users=()))


@pytest.mark.parametrize(
    ("answers", "users", "role", "fits"),
    [
        (1, (), None, True),
        (2, (), None, True),
        (2, ("ann",), None, False),
        (2, ("ann", "ann"), None, False),
        (2, ("ann", "bob"), None, True),
        (2, ("ann",), "approver", True),
        (None, (), "approver", False),
        (None, ("ann",), None, True),
    ],
)
def test_so_many_people_must_be_there_as_are_to_answer(
    answers: int | None, users: tuple[str, ...], role: str | None, *, fits: bool
) -> None:
    assert (too_few_users(answers, users, role=role) is None) is fits
