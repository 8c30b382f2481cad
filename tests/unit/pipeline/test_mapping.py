"""Where a map stands, from its records and what came since."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ia_modules.pipeline.document.scope import Scope
from ia_modules.pipeline.loader import load
from ia_modules.pipeline.mapping import FailedItem, MapCourse, MapItems, items_of
from tests.unit.pipeline.factories import document, task


def course(count: int, **keys: Any) -> MapCourse:
    step = load(
        document(task("work", map={"over": "{parameters.rows}", **keys}), parameters={"rows": []})
    ).definition.steps[0]
    return MapCourse(step, MapItems(list(range(count))), [])


def test_items_are_called_by_their_numbers_or_by_their_keys() -> None:
    step = load(document(task("work", map={"over": ["a", {"b": 1}], "key": "{run.index}-{item}"}))).definition.steps[0]
    items = items_of(step, Scope.of({}))
    assert [items.key(number) for number in (1, 2)] == ["0-a", '1-{"b": 1}']
    assert MapItems(["a"]).item(1).key == "1"


@given(st.integers(0, 30), st.integers(1, 7), st.randoms())
def test_items_begin_in_order_and_no_more_than_may_at_a_time(count: int, most: int, draw: Any) -> None:
    at_work, begun = course(count, max_concurrency=most), list[int]()
    running: list[int] = []
    while True:
        started = [each.number for each in at_work.begins()]
        begun += started
        running += started
        assert len(running) == at_work.running <= most
        if not running:
            break
        number = running.pop(draw.randrange(len(running)))
        at_work.running -= 1
        at_work.complete(number, Scope.of({}), f"{number}")  # type: ignore[arg-type]
    assert begun == list(range(1, count + 1))
    assert at_work.result() == f'{{"items":[{",".join(map(str, begun))}],"count":{count},"failed":0,"errors":[]}}'


def test_nothing_begins_when_too_many_have_failed() -> None:
    at_work = course(9, on_item_failure={"at_most": 1}, max_concurrency=3)
    assert [each.number for each in at_work.begins()] == [1, 2, 3]
    for number in (1, 2):
        at_work.running -= 1
        at_work.fail(FailedItem(number, "ValueError", "bad"))
    assert at_work.has_failed
    assert list(at_work.begins()) == []
    assert str(at_work.failure()) == "Step 'work' failed: item 2 failed: ValueError: bad (2 items have failed)"


def test_a_thousand_failures_are_listed_and_all_are_counted() -> None:
    at_work = course(1_500, on_item_failure="continue", collect=False)
    for number in range(1_500, 0, -1):
        at_work.fail(FailedItem(number, "ValueError", "bad"))
    result = at_work.result()
    assert '"failed":1500' in result
    assert result.count('"error_type"') == 1_000
