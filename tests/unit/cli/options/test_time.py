from datetime import UTC, datetime, timedelta

import pytest
import typer

from ia_modules.cli.options.time import future, past


@pytest.mark.parametrize(
    ("text", "distance"),
    [
        ("0s", timedelta(0)),
        ("90s", timedelta(seconds=90)),
        ("30min", timedelta(minutes=30)),
        ("12h", timedelta(hours=12)),
        ("7d", timedelta(days=7)),
    ],
)
def test_a_distance_is_back_from_now_or_stays_one_for_whoever_has_the_clock(text: str, distance: timedelta) -> None:
    before = datetime.now(UTC)
    assert before <= past(text) + distance <= datetime.now(UTC)
    assert future(text) == distance


def test_a_time_has_its_zone_or_that_of_this_machine() -> None:
    assert future("2026-11-28T09:30+01:00") == datetime(2026, 11, 28, 8, 30, tzinfo=UTC)
    assert past("2026-11-28") == datetime(2026, 11, 28).astimezone(UTC)


def test_a_time_to_come_without_its_offset_is_refused_never_guessed() -> None:
    with pytest.raises(typer.BadParameter, match=r"'2026-11-28T09:30', which is another time in each zone; .* offset"):
        future("2026-11-28T09:30")


@pytest.mark.parametrize("text", ["", "tomorrow", "7", "-1d", "9999999d", "2026-13-01"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="expected a time, such as"):
        past(text)


def test_a_distance_to_before_all_time_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="'999999d', which is before the year 1"):
        past("999999d")
