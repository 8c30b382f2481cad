from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia_modules.models import (
    NO_ID,
    ids_beginning,
    is_id,
    new_id,
    sought_id,
)


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
