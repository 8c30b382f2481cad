"""When a failed attempt is made again, and after how long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia_modules.errors import StepTimeout
from ia_modules.pipeline.document.retry import RetryPolicy, retry_delay, should_retry

THREE = RetryPolicy(max_attempts=3)


class Flaky(ConnectionError):
    pass


@pytest.mark.parametrize(
    ("policy", "attempts", "again"),
    [(None, 1, False), (THREE, 1, True), (THREE, 2, True), (THREE, 3, False), (RetryPolicy(max_attempts=1), 1, False)],
)
def test_a_step_is_tried_as_often_as_its_policy_says(policy: RetryPolicy | None, attempts: int, *, again: bool) -> None:
    assert should_retry(policy, attempts, ValueError()) is again


@pytest.mark.parametrize(
    ("retry_on", "do_not_retry_on", "again"),
    [
        ((), (), True),
        (("Flaky",), (), True),
        (("ConnectionError",), (), True),
        (("OSError",), (), True),
        (("Exception",), (), True),
        (("builtins.ConnectionError",), (), True),
        ((f"{__name__}.Flaky",), (), True),
        (("ValueError",), (), False),
        (("flaky",), (), False),
        ((), ("ConnectionError",), False),
        (("Flaky",), ("OSError",), False),
        (("OSError",), ("TimeoutError",), True),
    ],
)
def test_exceptions_are_named_with_their_bases(
    retry_on: tuple[str, ...], do_not_retry_on: tuple[str, ...], *, again: bool
) -> None:
    policy = RetryPolicy(retry_on=retry_on, do_not_retry_on=do_not_retry_on)
    assert should_retry(policy, 1, Flaky()) is again


def test_the_timeout_of_a_step_is_a_timeout_error() -> None:
    assert should_retry(RetryPolicy(retry_on=("TimeoutError",)), 1, StepTimeout("a", 5))


@pytest.mark.parametrize(
    ("attempt", "draw", "delay"), [(1, 0.0, 0.0), (1, 0.5, 0.5), (2, 0.5, 1.0), (3, 0.25, 1.0), (9, 0.5, 30.0)]
)
def test_the_delay_is_drawn_below_a_limit_that_doubles(attempt: int, draw: float, delay: float) -> None:
    assert retry_delay(RetryPolicy(), attempt, draw=draw) == delay


def test_without_jitter_the_delay_is_the_limit() -> None:
    policy = RetryPolicy(initial_delay=2.0, exponential_base=3.0, max_delay=20.0, jitter=False)
    assert [retry_delay(policy, attempt, draw=0.1) for attempt in (1, 2, 3, 4)] == [2.0, 6.0, 18.0, 20.0]


def test_no_delay_at_all_stays_none() -> None:
    assert retry_delay(RetryPolicy(initial_delay=0.0, jitter=False), 10_000, draw=0.5) == 0.0


def test_attempts_count_from_one() -> None:
    with pytest.raises(ValueError, match="attempt counts from 1, got 0"):
        retry_delay(RetryPolicy(), 0, draw=0.5)


@given(st.integers(1, 10**6), st.floats(0, 1, exclude_max=True), st.floats(1, 100))
def test_no_delay_is_longer_than_the_longest(attempt: int, draw: float, base: float) -> None:
    assert 0 <= retry_delay(RetryPolicy(exponential_base=base), attempt, draw=draw) <= 60
