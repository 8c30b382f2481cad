"""Lists of questions to people: by status, by whom they are assigned to, by pipeline, in pages."""

from collections.abc import Iterable

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import InvalidArgument
from ia_modules.models import ExecutionStatus, Json, PipelineId, StepExecutionId, StepStatus, new_id
from ia_modules.payload import encode
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.inbox import InteractionCount, InteractionFilters, Person, open_count_script
from ia_modules.transitions import ANSWER, NewInteraction, StepUpdate, Transition


async def ask(
    tracker: ExecutionTracker,
    slug: str,
    *,
    users: list[str] | None = None,
    role: str | None = None,
    data: Json = None,
) -> str:
    """A question of an execution of its own; its id."""
    pipeline_id = await tracker.register_pipeline(slug, slug)
    execution_id = await tracker.start_execution(pipeline_id, input_data={"amount": 200})
    attempt = StepExecutionId(await tracker.start_step_execution(execution_id, "ask", "Ask", "human_input"))
    question = NewInteraction(
        interaction_id=new_id(),
        step_execution_id=attempt,
        ui_schema=encode({"type": "object"}, "schema"),
        data=None if data is None else encode(data, "data"),
        assigned_users=None if users is None else encode(users, "users"),
        assigned_role=role,
    )
    waits = StepUpdate(step_execution_id=attempt, status=StepStatus.WAITING, awaits=ANSWER)
    await tracker.record(
        Transition(execution_id=execution_id, writer=tracker.owner, updates=(waits,), asks=(question,))
    )
    await tracker.update_execution_status(execution_id, ExecutionStatus.WAITING_FOR_HUMAN)
    return question.interaction_id


async def found(tracker: ExecutionTracker, filters: InteractionFilters, among: Iterable[str]) -> list[int]:
    """The places of what is found, in the order of the list."""
    places = list(among)
    return [places.index(each.interaction_id) for each in (await tracker.list_interactions(filters)).items]


async def test_questions_are_found_by_status_person_and_pipeline(tracker: ExecutionTracker) -> None:
    ids = [
        await ask(tracker, "first"),
        await ask(tracker, "first", users=["ann", 'b"ob', '",\\"eve\\']),
        await ask(tracker, "second", users=[], role="approver"),
        await ask(tracker, "second", users=["bob"], role="approver"),
        await ask(tracker, "second", users=["Ann"]),
    ]
    await tracker.answer_interaction(ids[4], {}, actor="Ann")
    second = await tracker.register_pipeline("second", "second")

    async def places(filters: InteractionFilters) -> list[int]:
        return await found(tracker, filters, ids)

    assert await places(InteractionFilters()) == [4, 3, 2, 1, 0]
    assert await places(InteractionFilters(status="pending")) == [3, 2, 1, 0]
    assert await places(InteractionFilters(status="answered")) == [4]
    assert await places(InteractionFilters(assigned_to="ann")) == [1]
    assert await places(InteractionFilters(assigned_to='b"ob')) == [1]
    assert await places(InteractionFilters(assigned_to='",\\"eve\\')) == [1]
    for nobody in ("ob", "eve", "eve\\", "", "%", "a_n"):
        assert await places(InteractionFilters(assigned_to=nobody)) == []
    assert await places(InteractionFilters(pipeline_id=second, status="pending")) == [3, 2]
    assert await places(InteractionFilters(pipeline_id=PipelineId("nothing"))) == []
    of_first = (await tracker.list_interactions()).items[-1].execution_id
    assert await places(InteractionFilters(execution_id=of_first)) == [0]
    assert await places(InteractionFilters(execution_id="nothing")) == []
    assert await places(InteractionFilters(answerable_by=Person(name="bob", role="operator"))) == [3, 0]
    assert await places(InteractionFilters(answerable_by=Person(name="ann", role="approver"))) == [3, 2, 1, 0]
    assert await places(InteractionFilters(answerable_by=Person(name="eve"))) == [0]


async def test_a_list_has_who_answered_and_where_it_was_asked(tracker: ExecutionTracker) -> None:
    question_id = await ask(tracker, "first")
    await tracker.answer_interaction(question_id, {"yes": True}, actor="ann", verified=True)
    (item,) = (await tracker.list_interactions()).items
    assert (item.step_id, item.pipeline_name, item.pipeline_version) == ("ask", "first", None)
    assert (item.status, item.actor, item.verified, item.answered_by) == ("answered", "ann", True, 1)


async def test_questions_come_in_pages_newest_first(tracker: ExecutionTracker) -> None:
    ids = [await ask(tracker, "first") for _ in range(5)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await tracker.list_interactions(cursor=cursor, limit=2)
        seen += [each.interaction_id for each in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert seen == ids[::-1]
    with pytest.raises(InvalidArgument, match="cursor"):
        await tracker.list_interactions(cursor="nothing")


async def test_open_questions_are_counted_for_everybody_or_for_one_person(tracker: ExecutionTracker) -> None:
    async def count(person: Person | None = None) -> InteractionCount:
        return await tracker.count_open_interactions(person)

    assert await count() == InteractionCount(pending=0, capped=False)
    ids = [
        await ask(tracker, "first"),
        await ask(tracker, "first", users=["ann"]),
        await ask(tracker, "second", users=["bob"], role="approver"),
    ]
    assert await count() == InteractionCount(pending=3, capped=False)
    assert (await count(Person(name="ann", role="approver"))).pending == 3
    assert (await count(Person(name="ann", role="operator"))).pending == 2
    assert (await count(Person(name="eve"))).pending == 1
    await tracker.answer_interaction(ids[0], {}, actor="eve")
    assert (await count()).pending == 2
    assert (await count(Person(name="eve"))).pending == 0


async def test_the_mark_of_an_inbox_is_another_one_when_a_question_of_that_person_has_changed(
    tracker: ExecutionTracker,
) -> None:
    ann, bob = Person(name="ann", role="approver"), Person(name="bob", role="approver")
    seen: list[str] = []

    async def whose_changed() -> str:
        before = seen[-2:]
        seen.extend([await tracker.mark_of_inbox(ann), await tracker.mark_of_inbox(bob)])
        return "".join(name for name, was, now in zip("ab", before, seen[-2:], strict=True) if was != now)

    seen.extend(["", ""])
    assert await whose_changed() == "ab"
    anns = await ask(tracker, "first", users=["ann", "eve"])
    assert await whose_changed() == "a"
    anybodys = await ask(tracker, "first")
    assert await whose_changed() == "ab"
    await tracker.answer_interaction(anybodys, {}, actor="eve")
    assert await whose_changed() == "ab"
    execution_id = await tracker.start_execution(await tracker.register_pipeline("second", "second"))
    await tracker.update_execution_status(execution_id, ExecutionStatus.COMPLETED)
    assert await whose_changed() == ""
    await tracker.assign_interaction(anns, ["bob"], actor="op")
    assert await whose_changed() == "ab"
    await tracker.assign_interaction(anns, ["bob", "eve"], actor="op")
    assert await whose_changed() == "b"


async def test_a_question_alone_has_what_led_to_it(tracker: ExecutionTracker) -> None:
    for data, input_data in ((None, {"amount": 200}), ({}, {"amount": 200}), ({"n": 1}, None), ([], None)):
        question = await tracker.get_interaction(await ask(tracker, "first", data=data))
        assert question is not None
        assert (question.data, question.input_data) == (data, input_data)


async def test_counting_ends_and_says_that_there_are_more(tracker: ExecutionTracker, database: DatabaseManager) -> None:
    for _ in range(3):
        await ask(tracker, "first")
    for cap, expected in (
        (2, InteractionCount(pending=2, capped=True)),
        (3, InteractionCount(pending=3, capped=False)),
    ):
        assert await database.read(open_count_script(database.query, None, cap=cap)) == expected
