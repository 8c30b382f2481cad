from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia_modules.models import (
    LogRecord,
    format_time,
    parse_time,
)

moments = st.datetimes(
    min_value=datetime(1970, 1, 2),  # noqa: DTZ001 - the strategy adds the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(moments)
def test_a_time_as_text_comes_back_the_same(moment: datetime) -> None:
    assert parse_time(format_time(moment)) == moment


@given(moments, moments)
def test_the_order_of_the_texts_is_the_order_of_the_times(one: datetime, other: datetime) -> None:
    assert (format_time(one) < format_time(other)) == (one < other)


def test_a_time_of_another_zone_is_brought_to_utc() -> None:
    abroad = datetime(2026, 11, 24, 5, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert format_time(abroad) == "2026-11-24T00:00:00.000000Z"


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


def test_a_row_that_lacks_a_column_is_an_error() -> None:
    with pytest.raises(KeyError):
        LogRecord.from_row({"log_id": "l"})
