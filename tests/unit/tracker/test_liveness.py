from datetime import UTC, datetime, timedelta

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.liveness import Liveness
from ia_modules.tracker.reader import ExecutionReader

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def heard(seconds_ago: float, *, stopped: bool = False) -> Liveness:
    heartbeat_at = NOW - timedelta(seconds=seconds_ago)
    return Liveness(lease_seconds=15, heartbeat_at=heartbeat_at, stopped_at=NOW if stopped else None, now=NOW)


@pytest.mark.parametrize(
    ("liveness", "expected"),
    [
        (heard(3), (3, 12, False, "alive")),
        (heard(15), (15, 0, False, "alive")),
        (heard(16), (16, 0, True, "silent")),
        (heard(1, stopped=True), (1, 0, True, "stopped")),
        (heard(-60), (0, 15, False, "alive")),  # the clock was set back
    ],
)
def test_a_process_is_gone_when_it_stopped_or_was_silent_for_longer_than_its_lease(
    liveness: Liveness, expected: tuple[float, float, bool, str]
) -> None:
    found = liveness.last_heard_seconds, liveness.counts_as_gone_in_seconds, liveness.is_gone, liveness.state
    assert found == expected


async def test_the_rows_say_who_lives_who_has_stopped_and_who_was_never_heard(database: DatabaseManager) -> None:
    reader = ExecutionReader(database)
    async with ExecutionTracker(database) as tracker:
        assert await reader.liveness(tracker.owner) is None
        await tracker.start_execution(await tracker.register_pipeline("program", "A program"))
        alive = await reader.liveness(tracker.owner)
        assert alive is not None
        assert not alive.is_gone
    stopped = await reader.liveness(tracker.owner)
    assert stopped is not None
    assert stopped.state == "stopped"
