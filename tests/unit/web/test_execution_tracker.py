"""The import path that the mission names keeps offering the tracker and what goes with it."""

from ia_modules.tracker import execution_tracker, recording
from ia_modules.web import execution_tracker as mission


def test_every_name_that_the_path_offers_is_the_one_of_the_tracker() -> None:
    assert mission.ExecutionTracker is execution_tracker.ExecutionTracker
    assert mission.RecordedExecution is recording.RecordedExecution
    assert all(getattr(mission, name) is not None for name in mission.__all__)
    assert mission.__all__ == sorted(mission.__all__)
