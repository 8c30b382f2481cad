"""Answers as their rows have them: whose they are, and whether a key says so."""

import pytest

from ia_modules.errors import InvalidArgument, PayloadError
from ia_modules.tracker.responses import checked_actor, stored_actor


def test_the_name_of_a_key_cannot_be_said() -> None:
    assert stored_actor("ann", verified=True) == "key:ann"
    assert stored_actor("ann", verified=False) == checked_actor("ann") == "ann"
    with pytest.raises(InvalidArgument, match="does not begin with 'key:'"):
        checked_actor("key:ann")
    with pytest.raises(PayloadError):
        checked_actor("")
