"""What went wrong in a run is one kind of error, whatever it was."""

import pytest

from ia_modules import PipelineError, errors
from ia_modules.errors import Problem


@pytest.mark.parametrize(
    "error",
    [
        errors.PipelineInputError("p", [Problem("$", "1", "2")]),
        errors.PipelineOutputError("p", [Problem("$", "1", "2")]),
        errors.ExecutionCancelled("e"),
        errors.StepError("s", "so"),
        errors.StepTimeout("s", 1.0),
        errors.StepConflict("s", recorded="one", replayed="another"),
    ],
)
def test_an_error_of_a_run_is_one_kind_and_names_the_step_where_one_is_to_blame(error: errors.PipelineError) -> None:
    assert isinstance(error, PipelineError)
    assert error.step_id == ("s" if "Step 's'" in str(error) else None)
