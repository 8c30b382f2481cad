from datetime import UTC, datetime, timedelta

import pytest

from ia_modules.cli.output.terminal import ago, duration, elapsed, excerpt, moment, one_line, plain


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-1, "0 ms"),
        (0.0034, "3 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.6, "1 h 00 min"),
        (86_399, "23 h 59 min"),
        (100_000, "1 d 3 h"),
    ],
)
def test_durations_are_short_and_never_round_up_to_sixty(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("age", "shown"),
    [(-5, "now"), (0.5, "now"), (1.5, "1 s ago"), (90, "1 min ago"), (7200, "2 h ago"), (200_000, "2 d ago")],
)
def test_how_long_ago_something_was_is_one_number(age: float, shown: str) -> None:
    assert ago(datetime.now(UTC) - timedelta(seconds=age)) == shown


def test_what_has_not_begun_is_a_dash() -> None:
    assert (ago(None), elapsed(None, None), moment(None)) == ("-", "-", "-")


def test_text_of_others_cannot_command_a_terminal() -> None:
    assert plain("a\x1b[31mb\x9b2J\x07\r\u202e\u2066c\n\td") == "a\ufffd[31mb\ufffd2J\ufffd \ufffd\ufffdc\n\td"
    assert plain("Grüße 東京 \U0001f600\u00a0!") == "Grüße 東京 \U0001f600 !"
    assert one_line(" a\n\n b\tc ") == "a b c"


def test_an_excerpt_is_one_line_of_limited_width() -> None:
    assert excerpt({"a": [1, "x\ny"]}) == '{"a":[1,"x\\ny"]}'
    assert excerpt("x" * 50, width=10) == '"xxxxxxxx…'
    assert excerpt(None, 1_234_567) == "(1,234,567 bytes)"
    assert excerpt(None, 0) == "null"
