"""An exception crosses as text, and is the same for whoever catches, retries or prints it."""

import json
from traceback import format_exception

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia_modules.errors import LeaseLost, PayloadError, StepError
from ia_modules.pipeline.document.retry import RetryPolicy, should_retry
from ia_modules.pipeline.remote_failures import RemoteFailure
from ia_modules.testing.executor_steps import OutOfStock
from ia_modules.transitions import Failure


def carried(error: BaseException) -> Exception:
    """An exception, after it has been JSON."""
    text = msgspec.json.encode(RemoteFailure.of(error))
    return msgspec.json.decode(text, type=RemoteFailure).as_exception()


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:  # noqa: BLE001 - with its traceback
        return caught


class NeedsMore(Exception):
    """Nothing of it can be made of a message alone, not even its text."""

    def __new__(cls, first: object, second: object) -> "NeedsMore":
        return super().__new__(cls, first, second)

    def __init__(self, first: object, second: object) -> None:
        super().__init__(first, second)
        self.both = [first, second]

    def __str__(self) -> str:
        return f"{self.both[0]} and {self.both[1]}"


texts = st.text(st.characters(codec=None, exclude_categories=()))
scalars = st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats() | texts


@given(
    kind=st.sampled_from(
        [ValueError, KeyError, LookupError, RuntimeError, OSError, ConnectionResetError, StopIteration]
    ),
    args=st.lists(scalars, max_size=3),
)
def test_python_s_own_errors_are_the_same_class_with_the_same_message(
    kind: type[Exception], args: list[object]
) -> None:
    error = kind(*args)
    other = carried(error)
    assert isinstance(other, kind)
    assert Failure.of(other).type == Failure.of(error).type
    assert Failure.of(other).message == Failure.of(error).message


@pytest.mark.parametrize(
    "error",
    [
        OSError(2, "No such file", "/data"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        json.JSONDecodeError("Expecting value", "{", 1),
        NeedsMore("one", {"two": object()}),
        OutOfStock("apples", left=3),
        StepError("load", "it failed"),
        PayloadError("output", "$", "a lock", "JSON"),
        KeyError(2**53 + 1),
        ValueError(2**70),
        OSError(2, "No such file", "/data/\udcff"),
        LookupError("half \ud800", float("inf"), True),
        ExceptionGroup("two", [ValueError("a"), KeyError("b")]),
        SystemExit(3),
    ],
    ids=lambda error: type(error).__name__,
)
def test_its_type_message_and_traceback_are_those_that_it_had(error: BaseException) -> None:
    caught = raised(error)
    other = carried(caught)
    assert Failure.of(other) == Failure.of(caught)
    assert [kind.__name__ for kind in type(other).__mro__ if kind.__name__ == type(error).__name__]


def test_its_attributes_that_are_text_or_numbers_come_with_it() -> None:
    other = carried(OutOfStock("apples", left=3))
    assert isinstance(other, OutOfStock)
    assert (other.item, other.left) == ("apples", 3)
    lost = carried(LeaseLost("e1", owner="a", epoch=2, writer="b"))
    assert isinstance(lost, LeaseLost)


def test_a_class_that_nobody_has_here_is_known_by_its_name_and_by_those_below_it() -> None:
    failure = RemoteFailure(
        kinds=(("shop.errors", "Shop.Closed"), ("builtins", "LookupError"), ("builtins", "Exception")),
        message="until Monday",
        args=None,
        attributes={},
        traceback="Traceback: elsewhere\n",
    )
    error = failure.as_exception()
    assert (type(error).__qualname__, str(error)) == ("Shop.Closed", "until Monday")
    assert isinstance(error, LookupError)
    for name in ("Closed", "shop.errors.Shop.Closed", "LookupError"):
        assert should_retry(RetryPolicy(retry_on=(name,)), 1, error)
    assert not should_retry(RetryPolicy(retry_on=("ValueError",)), 1, error)
    assert Failure.of(error).traceback == "Traceback: elsewhere\n"


def test_its_causes_come_with_it_and_who_prints_it_sees_where_it_was_raised() -> None:
    try:
        try:
            raise KeyError("apples")
        except KeyError as cause:
            raise OutOfStock("apples", left=0) from cause
    except OutOfStock as error:
        other = carried(error)
    assert isinstance(other.__cause__, KeyError)
    printed = "".join(format_exception(StepError("buy", "failed").with_traceback(None))) + "".join(
        format_exception(other)
    )
    assert "in test_its_causes_come_with_it_and_who_prints_it_sees_where_it_was_raised" in printed


def test_a_circle_of_causes_ends() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert str(carried(one)) == "one"
