import pytest

from ia_modules.errors import InvalidStatus
from ia_modules.models import (
    EFFECTS,
    ExecutionStatus,
    StepStatus,
    effect_text,
    may_have_effects,
)


def test_an_unknown_status_says_which_there_are() -> None:
    with pytest.raises(InvalidStatus, match=r"'done'.*pending, running, waiting, waiting_for_human, completed"):
        ExecutionStatus("done")
    with pytest.raises(InvalidStatus, match="skipped"):
        StepStatus("COMPLETED")


def test_only_what_is_known_to_change_nothing_outside_may_be_run_again_freely() -> None:
    assert [may_have_effects(effect) for effect in EFFECTS] == [False, False, True, True]
    assert may_have_effects(None)
    assert [effect_text(effect) for effect in ("read", None)] == ["read", "not said: may have effects"]
