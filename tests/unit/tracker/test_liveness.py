from datetime import UTC, datetime, timedelta

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import WorkerId
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.liveness import Beat, BeatWatch, Liveness
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


def test_a_heartbeat_that_does_not_move_for_a_lease_is_a_dead_process_whatever_its_time() -> None:
    watch = BeatWatch()
    dead, alive = Beat(WorkerId("dead"), "tomorrow", 10), Beat(WorkerId("alive"), "tomorrow", 10)
    moved = Beat(alive.worker_id, "later", 10)
    assert watch.look([dead, alive], now=0) == []
    assert watch.look([dead, moved], now=11) == []
    assert watch.look([dead, moved], now=13) == [dead]
    watch.forget()
    assert watch.look([dead, moved], now=14) == []


async def test_who_is_declared_gone_has_stopped_until_it_is_heard_again(database: DatabaseManager) -> None:
    async with ExecutionTracker(database) as tracker, ExecutionTracker(database) as other:
        assert other.heartbeat is not None
        await other.heartbeat.begin()
        await database.execute_async("UPDATE workers SET heartbeat_at = ia_now(3600)")  # its clock was set back since
        (beat,) = await tracker.ownership.beats()
        assert await other.ownership.beats() == []
        assert await tracker.ownership.declare_gone(beat)
        liveness = await tracker.liveness(other.owner)
        assert liveness is not None
        assert liveness.is_gone
        await other.heartbeat.beat()
        assert not await tracker.ownership.declare_gone(beat)
        liveness = await tracker.liveness(other.owner)
        assert liveness is not None
        assert not liveness.is_gone
