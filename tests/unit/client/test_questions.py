import pytest

from ia_modules import Client, DatabaseManager
from ia_modules.errors import (
    AlreadyAnswered,
    InteractionNotFound,
    InvalidAnswer,
    InvalidArgument,
    QuestionsDiffer,
)
from ia_modules.models import ExecutionStatus
from ia_modules.pipeline.authoring import Flow
from ia_modules.tracker.inbox import InteractionFilters
from tests.unit.client.doubling import ask, audit


async def test_a_question_is_answered_once_in_somebodys_name(client: Client, database: DatabaseManager) -> None:
    flow = Flow("Ask")
    flow.ask("approve", prompt="Go on?")
    waiting = await client.run(flow)
    assert waiting["status"] == "waiting_for_human"
    assert (await client.wait(waiting["execution_id"])).status is ExecutionStatus.WAITING_FOR_HUMAN
    pages = [changes async for changes in client.follow(waiting["execution_id"], to_rest=True)]
    assert pages[-1].execution.status is ExecutionStatus.WAITING_FOR_HUMAN
    assert await client.answer(waiting["interaction_id"], {"yes": True}, actor="bob") == waiting["execution_id"]
    with pytest.raises(AlreadyAnswered, match="by bob"):
        await client.answer(waiting["interaction_id"], {"yes": False})
    assert await audit(database) == [("bob", "interaction.answer", waiting["interaction_id"], None)]


async def test_an_answer_is_checked_before_anything_is_stored(client: Client, database: DatabaseManager) -> None:
    question_id = await ask(client, assigned_users=["ann", "bob"], answers=2)
    for response, actor, role, where in (
        ({}, "ann", None, "response.yes"),
        ({"yes": 1}, None, None, "actor"),
        ({"yes": 1}, "eve", None, "actor"),
        ({"yes": 1}, "eve", "operator", "actor"),
    ):
        with pytest.raises(InvalidAnswer) as refused:
            await client.answer(question_id, response, actor=actor, role=role)
        assert [problem.where for problem in refused.value.problems] == [where]
    with pytest.raises(InvalidArgument, match="key:"):
        await client.answer(await ask(client), {"yes": 1}, actor="key:ann")
    with pytest.raises(InteractionNotFound):
        await client.answer("nothing", {})
    assert (await client.interaction(question_id)).responses == ()
    assert await audit(database) == []


async def test_the_same_answer_again_is_on_record_once(client: Client, database: DatabaseManager) -> None:
    question_id = await ask(client, assigned_users=["ann", "bob"], answers="all")
    for actor in ("ann", "ann", "bob", "ann", "bob"):
        await client.answer(question_id, {"yes": 1}, actor=actor, verified=actor == "bob")
    question = await client.interaction(question_id)
    assert [(each.actor, each.verified) for each in question.responses] == [("ann", False), ("bob", True)]
    assert [row[:2] for row in await audit(database)] == [("ann", "interaction.answer"), ("bob", "interaction.answer")]
    with pytest.raises(AlreadyAnswered, match="by bob, since 20") as late:
        await client.answer(question_id, {"no schema": "is looked at"}, actor="cleo")
    assert late.value.closed_at == question.completed_at


async def test_many_questions_take_one_answer_and_those_that_do_not_are_told(client: Client) -> None:
    ids = [await ask(client) for _ in range(3)]
    await client.answer(ids[0], {"yes": 0}, actor="ann")
    await client.assign(ids[1], ["bob"], actor="op")
    done = await client.answer_each([*ids, ids[2]], {"yes": 1}, actor="cleo")
    assert (done.done, [(each.interaction_id, each.actor) for each in done.refused]) == (
        1,
        [(ids[0], "ann"), (ids[1], None)],
    )
    assert "assigned to: bob" in done.refused[1].reason
    with pytest.raises(QuestionsDiffer):
        await client.answer_each([ids[1], await ask(client, "Other")], {"yes": 1}, actor="bob")
    with pytest.raises(InvalidAnswer):
        await client.answer_each(ids[1:2], {}, actor="bob")
    with pytest.raises(InvalidAnswer):
        await client.answer_each(ids[1:2], {"yes": 1})
    assert (await client.interaction(ids[1])).status == "pending"


async def test_a_question_is_assigned_on_record(client: Client, database: DatabaseManager) -> None:
    question_id = await ask(client, assigned_users=["ann"])
    assert (await client.assign(question_id, ["bob"], actor="op")).assigned_users == ["bob"]
    assert await audit(database) == [("op", "interaction.assign", question_id, {"assigned_users": ["bob"]})]
    page = await client.interactions(InteractionFilters(assigned_to="bob"))
    assert [each.interaction_id for each in page.items] == [question_id]
    await client.answer(question_id, {"yes": 1}, actor="bob")
    with pytest.raises(AlreadyAnswered, match="by bob"):
        await client.assign(question_id, ["ann"])
