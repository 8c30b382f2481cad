"""What a call within a step is known by: its arguments, whatever they are, by one hash."""

import functools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ia_modules.pipeline.core import Inner
from ia_modules.pipeline.inner_calls import Numbering, arguments_hash, arguments_of, stored_arguments

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("ab\u00e9", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
    max_leaves=8,
)


class Session:
    """Something that JSON does not know."""


def search(query: Any, *more: Any, limit: Any = 5, **options: Any) -> None:
    """A function with every kind of parameter."""


@given(JSON, JSON)
def test_equal_arguments_have_one_hash_and_others_have_another(one: Any, other: Any) -> None:
    def hashed(value: Any) -> str:
        return arguments_hash(arguments_of(search, (value,), {}))

    assert hashed(one) == hashed(one)
    assert (hashed(one) == hashed(other)) == (repr_of(one) == repr_of(other))


def repr_of(value: Any) -> Any:
    """A value by which 1, 1.0 and True differ, and the order of keys does not count."""
    if isinstance(value, dict):
        return ("dict", sorted((key, repr_of(item)) for key, item in value.items()))
    if isinstance(value, list):
        return ("list", [repr_of(item) for item in value])
    return (type(value).__name__, repr(value))


def test_an_argument_is_known_by_its_parameter_however_it_is_given() -> None:
    by_place = arguments_of(search, ("a",), {"limit": 2})
    assert by_place == {"query": "a", "limit": 2}
    assert arguments_of(search, (), {"limit": 2, "query": "a"}) == by_place
    assert arguments_of(search, ("a", 1, 2), {"deep": True}) == {
        "query": "a",
        "more": [1, 2],
        "options": {"deep": True},
    }


def test_a_function_that_does_not_tell_its_parameters_has_its_arguments_by_their_places() -> None:
    assert arguments_of(max, (1, 2), {"default": 3}) == {"args": [1, 2], "default": 3}
    assert arguments_of(search, (), {"limit": 1}) == {"args": [], "limit": 1}  # and the call itself will fail
    assert arguments_of(functools.partial(search, "a"), (), {"limit": 1}) == {"limit": 1}


def test_what_is_not_json_is_the_name_of_its_type_wherever_it_stands() -> None:
    session = f"<{__name__}.Session>"
    arguments = arguments_of(search, ({"session": Session(), "rows": [1, Session()]},), {"limit": float("nan")})
    assert arguments == {"query": {"session": session, "rows": [1, session]}, "limit": "<builtins.float>"}
    assert arguments_hash(arguments) == arguments_hash(
        arguments_of(search, ({"rows": [1, Session()], "session": Session()},), {"limit": float("inf")})
    )


def test_what_contains_itself_has_a_hash_too() -> None:
    endless: list[Any] = [1]
    endless += [endless, endless]
    assert arguments_of(search, (endless,), {}) == {"query": [1, "<builtins.list>", "<builtins.list>"]}


def test_large_arguments_are_not_kept_and_have_a_hash() -> None:
    arguments = arguments_of(search, ("a" * 20_000,), {})
    assert stored_arguments(arguments) is None
    assert stored_arguments({"query": "a"}) == '{"query":"a"}'
    assert len(arguments_hash(arguments)) == 64


def test_each_call_has_a_number_of_its_own_whichever_thread_it_comes_from() -> None:
    key_of, names = Numbering().key_of, [Inner("a"), Inner("b")] * 500
    with ThreadPoolExecutor(8) as threads:
        numbers = sorted(key.iteration for key in threads.map(key_of, names) if key.step_id == "a")
    assert numbers == list(range(1, 501))
