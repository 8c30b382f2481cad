"""Payloads beside each other: exact, by their hashes where they are large, and bounded all together."""

from ia_modules.models import JsonText
from ia_modules.pipeline.comparing.contrast import (
    ALL_CHANGES_LIMIT,
    BY_HASH,
    ENOUGH,
    LOOKED_INTO_BYTES,
    NOTHING,
    TOO_LARGE,
    Contrast,
    Looking,
    Payload,
)
from ia_modules.pipeline.comparing.difference import CHANGES_LIMIT, JsonChange


def text(written: str) -> Payload:
    return Payload.of(JsonText(written))


def test_the_order_of_keys_does_not_count_and_every_digit_does() -> None:
    assert text('{"a":1,"b":2}').is_same_as(text('{"b":2,"a":1}'))
    assert not text("9007199254740993").is_same_as(text("9007199254740992"))
    assert not text("1").is_same_as(text("1.0"))
    assert not text("null").is_same_as(NOTHING)
    assert NOTHING.is_same_as(NOTHING)


def test_what_differs_is_looked_into() -> None:
    found = Looking().at_payloads(text('{"a":1}'), text('{"a":2}'))
    assert found == Contrast(same=False, a_bytes=7, b_bytes=7, changes=(JsonChange("$.a", "1", "2", 1, 1),))
    assert Looking().at_payloads(text("1"), text("1")) == Contrast(same=True, a_bytes=1, b_bytes=1)
    assert Looking().at_payloads(NOTHING, text("1")).changes == (JsonChange("$", None, "1", 0, 1),)
    assert Looking().at_payloads(NOTHING, NOTHING) == Contrast(same=True, a_bytes=0, b_bytes=0)


def test_values_that_are_not_stored_have_no_size() -> None:
    assert Looking().at_values({"a": 1}, {"a": 1}) == Contrast(same=True)
    assert Looking().at_values({"a": 1}, {}).changes == (JsonChange("$.a", "1", None, 1, 0),)


def test_large_payloads_are_compared_by_hash_and_that_is_said() -> None:
    large, other, longer = Payload(2**21, digest="x"), Payload(2**21, digest="y"), Payload(2**21 + 1)
    assert Looking().at_payloads(large, large) == Contrast(same=True, a_bytes=2**21, b_bytes=2**21, note=BY_HASH)
    assert Looking().at_payloads(large, other) == Contrast(same=False, a_bytes=2**21, b_bytes=2**21, note=BY_HASH)
    assert Looking().at_payloads(large, longer).same is False
    assert Looking().at_payloads(text("1"), longer).note == BY_HASH
    assert not large.is_at_hand
    assert large.value is None


def test_values_that_are_too_large_to_look_into_only_differ() -> None:
    huge = "x" * LOOKED_INTO_BYTES
    assert Looking().at_values([huge, huge], [huge, "y"]) == Contrast(same=False, note=TOO_LARGE)


def test_once_enough_has_been_looked_into_the_rest_only_differs() -> None:
    looking, pair = Looking(), ([*range(CHANGES_LIMIT)], [*range(1000, 1000 + CHANGES_LIMIT)])
    for _ in range(ALL_CHANGES_LIMIT // CHANGES_LIMIT):
        assert len(looking.at_values(*pair).changes) == CHANGES_LIMIT
    assert looking.at_values(1, 2) == Contrast(same=False, note=ENOUGH)
    looking, large = Looking(), "x" * (LOOKED_INTO_BYTES - 10)
    found = [looking.at_values(large, f"{large}{number}") for number in range(4)]
    assert [each.note for each in found] == [None, None, ENOUGH, ENOUGH]
