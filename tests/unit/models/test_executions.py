import pytest

from ia_modules.models import (
    cause_of,
)


@pytest.mark.parametrize(
    ("error_type", "message", "step", "cause"),
    [
        ("StepError", "Step 'charge' failed: ValueError: no customer", "charge", "ValueError: no customer"),
        ("StepError", """Step "a'b" failed: too late""", "a'b", "too late"),
        ("ValueError", "no customer", "charge", "ValueError: no customer"),
        ("StepError", "Step 'charge' failed: no customer", None, "StepError: Step 'charge' failed: no customer"),
        ("StepError", "Step 'charge' failed: no customer", "pay", "StepError: Step 'charge' failed: no customer"),
        (None, "A step failed.", None, "A step failed."),
        ("ValueError", None, None, "ValueError"),
        (None, None, None, None),
    ],
)
def test_a_cause_is_what_went_wrong_without_the_sentence_that_names_the_step(
    error_type: str | None, message: str | None, step: str | None, cause: str | None
) -> None:
    assert cause_of(error_type, message, step) == cause
