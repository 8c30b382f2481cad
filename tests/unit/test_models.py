from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia_modules.errors import InvalidStatus
from ia_modules.models import (
    EFFECTS,
    NO_ID,
    ExecutionStatus,
    LogRecord,
    StepStatus,
    cause_of,
    effect_text,
    format_time,
    ids_beginning,
    is_id,
    may_have_effects,
    new_id,
    parse_time,
    sought_id,
)

moments = st.datetimes(
    min_value=datetime(1970, 1, 2),  # noqa: DTZ001 - the strategy adds the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


def test_an_unknown_status_says_which_there_are() -> None:
    with pytest.raises(InvalidStatus, match=r"'done'.*pending, running, waiting, waiting_for_human, completed"):
        ExecutionStatus("done")
    with pytest.raises(InvalidStatus, match="skipped"):
        StepStatus("COMPLETED")


@given(moments)
def test_a_time_as_text_comes_back_the_same(moment: datetime) -> None:
    assert parse_time(format_time(moment)) == moment


@given(moments, moments)
def test_the_order_of_the_texts_is_the_order_of_the_times(one: datetime, other: datetime) -> None:
    assert (format_time(one) < format_time(other)) == (one < other)


def test_a_time_of_another_zone_is_brought_to_utc() -> None:
    abroad = datetime(2026, 11, 24, 5, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert format_time(abroad) == "2026-11-24T00:00:00.000000Z"


def test_ids_made_later_sort_later() -> None:
    ids = [new_id() for _ in range(1000)]
    assert ids == sorted(set(ids))


@given(uuid=st.uuids(), length=st.integers(1, 36))
def test_a_uuid_in_small_letters_is_an_id_and_is_among_those_that_begin_as_it_does(uuid: UUID, length: int) -> None:
    text = str(uuid)
    assert is_id(text)
    assert sought_id(text) == text
    span = ids_beginning(text[:length])
    assert span is not None
    lowest, highest = span
    assert lowest <= text <= highest
    assert lowest[:length] == highest[:length] == text[:length]
    assert is_id(highest)


@given(text=st.text() | st.uuids().map(lambda uuid: str(uuid).upper()).filter(lambda text: text.lower() != text))
def test_what_is_no_id_is_looked_for_as_the_id_of_nothing(text: str) -> None:
    assert not is_id(text)
    assert sought_id(text) == NO_ID
    assert sought_id(None) is None


@pytest.mark.parametrize(
    "text", ["0199c3f2-", "0199c3f27", "x", "0199C3F2", "0199c3f2-7b1e-7c41-9d0e-3f5a6b7c8d9e0", "-"]
)
def test_few_texts_begin_an_id(text: str) -> None:
    assert (ids_beginning(text) is not None) == (text == "0199c3f2-")


def test_rows_of_both_databases_make_the_same_record() -> None:
    shared = {
        "log_id": "l",
        "execution_id": "e",
        "within": "",
        "step_execution_id": None,
        "level": "info",
        "logger": "shop",
        "message": "hello",
        "data": '{"n":1}',
        "sequence": 3,
    }
    sqlite = LogRecord.from_row(shared | {"logged_at": "2026-11-24T01:02:03.000004Z"})
    postgresql = LogRecord.from_row(shared | {"logged_at": datetime(2026, 11, 24, 1, 2, 3, 4, tzinfo=UTC)})
    assert sqlite == postgresql
    assert sqlite.to_dict() == postgresql.to_dict()
    assert sqlite.to_dict() | {"data": {"n": 1}, "level": "info", "logged_at": "2026-11-24T01:02:03.000004Z"} == (
        sqlite.to_dict()
    )


@pytest.mark.parametrize(
    ("error_type", "message", "step", "cause"),
    [
        ("StepError", "Step 'charge' failed: ValueError: no customer", "charge", "ValueError: no customer"),
        ("StepError", """Step "a'b" failed: too late""", "a'b", "too late"),
        ("ValueError", "no customer", "charge", "ValueError: no customer"),
        ("StepError", "Step 'charge' failed: no customer", None, "StepError: Step 'charge' failed: no customer"),
        ("StepError", "Step 'charge' failed: no customer", "pay", "StepError: Step 'charge' failed: no customer"),
        (None, "A step failed.", None, "A step failed."),
        ("ValueError", None, None, "ValueError"),
        (None, None, None, None),
    ],
)
def test_a_cause_is_what_went_wrong_without_the_sentence_that_names_the_step(
    error_type: str | None, message: str | None, step: str | None, cause: str | None
) -> None:
    assert cause_of(error_type, message, step) == cause


def test_a_row_that_lacks_a_column_is_an_error() -> None:
    with pytest.raises(KeyError):
        LogRecord.from_row({"log_id": "l"})


def test_only_what_is_known_to_change_nothing_outside_may_be_run_again_freely() -> None:
    assert [may_have_effects(effect) for effect in EFFECTS] == [False, False, True, True]
    assert may_have_effects(None)
    assert [effect_text(effect) for effect in ("read", None)] == ["read", "not said: may have effects"]
