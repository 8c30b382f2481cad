from datetime import UTC, datetime, timedelta

import pytest

from ia_modules.errors import ConstraintViolated, InvalidArgument
from ia_modules.models import ExecutionRecord, ExecutionStatus
from ia_modules.payload import encode
from ia_modules.pipeline.loader import load
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.start import new_execution, record_start
from tests.unit.pipeline.factories import document, task

DEFINITION = load(document(task("a", module="m", step_class="C"))).definition


async def test_an_execution_begins_in_this_process_or_waits_for_a_worker() -> None:
    journal = MemoryJournal()
    version = await journal.register_version("p", "P", DEFINITION.to_json())
    text = encode({"n": 1}, "input")
    here = await record_start(
        journal, await new_execution(journal, DEFINITION, version, text, queued=False, trigger="test")
    )
    later = datetime(2030, 1, 1, tzinfo=UTC)
    keyed = await new_execution(
        journal, DEFINITION, version, text, queued=True, trigger="test", run_at=later, idempotency_key="k"
    )
    queued = await record_start(journal, keyed)
    records = [await journal.get_execution(each) for each in (here, queued)]
    assert [(each.status, each.managed, each.owner, each.run_at) for each in records if each is not None] == [
        (ExecutionStatus.RUNNING, False, journal.owner, None),
        (ExecutionStatus.WAITING, True, None, later),
    ]
    with pytest.raises(ConstraintViolated):
        await record_start(journal, keyed)


async def test_a_time_without_its_zone_is_refused() -> None:
    journal = MemoryJournal()
    version = await journal.register_version("p", "P", DEFINITION.to_json())
    with pytest.raises(InvalidArgument, match="run_at"):
        await new_execution(
            journal,
            DEFINITION,
            version,
            encode({}, "input"),
            queued=True,
            trigger="test",
            run_at=datetime(2030, 1, 1),  # noqa: DTZ001 - what is refused
        )


async def test_how_long_from_now_is_counted_by_the_clock_of_the_records() -> None:
    journal = MemoryJournal(now=lambda: datetime(2030, 1, 1, tzinfo=UTC))
    version = await journal.register_version("p", "P", DEFINITION.to_json())

    async def begun(run_at: timedelta) -> ExecutionRecord | None:
        text = encode({}, "input")
        new = await new_execution(journal, DEFINITION, version, text, queued=True, trigger="test", run_at=run_at)
        return await journal.get_execution(await record_start(journal, new))

    records = [await begun(timedelta(hours=2)), await begun(timedelta(0))]
    assert [(each.status, each.run_at) for each in records if each is not None] == [
        (ExecutionStatus.WAITING, datetime(2030, 1, 1, 2, tzinfo=UTC)),
        (ExecutionStatus.PENDING, None),
    ]
    with pytest.raises(InvalidArgument, match="year 10000"):
        await begun(timedelta.max)
