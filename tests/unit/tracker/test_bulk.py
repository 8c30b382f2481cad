import asyncio
import base64
import zlib

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import DatabaseUnavailable, ExecutionNotFound, InvalidArgument
from ia_modules.models import ExecutionStatus, new_id
from ia_modules.pipeline.ahead import StepAhead
from ia_modules.tracker.bulk import (
    BULK_LIMIT,
    TOKEN_LIMIT_CHARACTERS,
    Refused,
    change_each,
    choose,
    find_suited,
    ids_of_token,
    key_of_each,
    steps_of_many,
    token_over,
)
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.lists import ExecutionFilters


async def test_each_is_changed_by_itself_and_the_refused_are_named() -> None:
    changed: list[str] = []

    async def change(execution_id: str) -> None:
        if execution_id == "b":
            raise ExecutionNotFound(execution_id)
        changed.append(execution_id)

    refused = await change_each(["a", "b", "c"], change)
    assert sorted(changed) == ["a", "c"]
    assert refused == [Refused(execution_id="b", reason=str(ExecutionNotFound("b")))]


async def test_when_the_database_goes_away_the_rest_is_left() -> None:
    begun: list[str] = []

    async def change(execution_id: str) -> None:
        begun.append(execution_id)
        await asyncio.sleep(0)
        raise DatabaseUnavailable("away")

    with pytest.raises(DatabaseUnavailable):
        await change_each([str(number) for number in range(100)], change)
    assert len(begun) < 100


async def test_there_may_be_more_where_not_all_was_looked_at(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("nightly", "Nightly")
        ids = [await tracker.start_execution(pipeline_id) for _ in range(3)]
        for look_back, newest, more in ((2, ids[:0:-1], True), (3, ids[::-1], False)):
            some = ExecutionFilters(trigger="program", look_back=look_back)
            assert await find_suited(tracker, some, action="cancel", limit=9) == (newest, more)


async def test_only_what_an_action_is_for_is_found_and_more_is_said(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("nightly", "Nightly")
        ids = [await tracker.start_execution(pipeline_id) for _ in range(4)]
        for execution_id, status in zip(ids[:3], ("completed", "failed", "cancelled"), strict=True):
            await tracker.update_execution_status(execution_id, status)
        every = ExecutionFilters()
        for action in ("rerun", "delete"):
            assert await find_suited(tracker, every, action=action, limit=9) == (ids[2::-1], False)
            assert await find_suited(tracker, every, action=action, limit=2) == (ids[2:0:-1], True)
        assert await find_suited(tracker, every, action="resume", limit=9) == (ids[2:0:-1], False)
        assert await find_suited(tracker, every, action="cancel", limit=9) == ([ids[3]], False)
        none = ExecutionFilters(status=ExecutionStatus.RUNNING)
        assert await find_suited(tracker, none, action="rerun", limit=9) == ([], False)
        chosen = await choose(tracker, "cancel", execution_ids=["b", "a", "b"])
        assert (chosen.ids, chosen.named, chosen.more) == (["b", "a"], "by ids", False)
        chosen = await choose(tracker, "rerun", filters=every, limit=1)
        assert (chosen.ids, chosen.named, chosen.more) == ([ids[2]], "by filter", True)
        chosen = await choose(tracker, "rerun", token=token_over("rerun", chosen.ids))
        assert (chosen.ids, chosen.named, chosen.more) == ([ids[2]], "by token", False)
        token = token_over("rerun", ids)
        parts = [await choose(tracker, "rerun", token=token, skip=skip, limit=3) for skip in (0, 3, 6)]
        assert [part.ids for part in parts] == [ids[:3], ids[3:], []]


def test_a_token_over_the_most_ids_names_them_in_their_order_and_for_one_action() -> None:
    ids = [new_id() for _ in range(BULK_LIMIT)]
    token = token_over("rerun", ids)
    assert ids_of_token(token, "rerun") == ids
    assert len(token) <= TOKEN_LIMIT_CHARACTERS
    assert ids_of_token(token_over("cancel", []), "cancel") == []
    with pytest.raises(InvalidArgument, match="found one of 'rerun'; expected one of a dry run of 'cancel'"):
        ids_of_token(token, "cancel")


def packed(value: object) -> str:
    return base64.urlsafe_b64encode(zlib.compress(orjson.dumps(value))).decode()


WRONG = ["", "x", "ä", "eJ", "x" * 100_000, packed([]), packed({"rerun": 1}), packed(["rerun", 1]), packed("rerun")]


@pytest.mark.parametrize("token", [*WRONG, packed(["rerun", "not-an-id"]), packed(["rerun", *["x" * 200] * 5000])])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidArgument, match="found no token; expected one of a dry run of 'rerun'"):
        ids_of_token(token, "rerun")


TOKEN = token_over("rerun", NAMED := [f"0199c3f2-0000-7000-8000-00000000000{n}" for n in range(3)])


@given(st.text(alphabet="abcXYZ0189-_=", max_size=60), st.integers(0, len(TOKEN) - 1))
def test_a_token_that_was_cut_or_changed_names_nothing_else(noise: str, place: int) -> None:
    for changed in (TOKEN[:place], TOKEN[:place] + noise, TOKEN[:place] + noise + TOKEN[place:]):
        try:
            named = ids_of_token(changed, "rerun")
        except InvalidArgument:
            continue
        assert named == NAMED  # what stands after its end says nothing


def test_each_execution_has_a_key_of_its_own_that_is_a_key() -> None:
    keys = {key_of_each(key, execution_id) for key in ("k", "kk") for execution_id in ("a", "ka")}
    assert len(keys) == 4
    assert all(len(key) <= 200 for key in keys)
    assert key_of_each("k", "a") == key_of_each("k", "a")


def test_what_runs_in_many_is_counted_once_for_each() -> None:
    write = StepAhead(step_id="b", step_name="B", effect="write", runs=2)
    tell = StepAhead(step_id="c", step_name="C", effect=None, runs=0)
    found = steps_of_many([[tell], [write, tell], []])
    assert [(step.step_id, step.executions, step.effect_text) for step in found] == [
        ("c", 2, "not said: may have effects"),
        ("b", 1, "write"),
    ]
