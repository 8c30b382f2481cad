"""Where code runs follows it into tasks, and into threads that it is carried to."""

import asyncio
import threading

from ia_modules.models import ExecutionId, RunPath
from ia_modules.place import (
    Place,
    RecordedPlace,
    begin_recording,
    carry,
    end_recording,
    here,
    is_run_by_pipeline,
    recorder_of,
    run_by_pipeline,
)


def test_a_thread_of_ones_own_knows_its_place_where_it_is_carried_there() -> None:
    seen: list[Place | None] = []
    place = RecordedPlace(ExecutionId("an execution"), RunPath("think#1"))

    def look() -> None:
        seen.append(here.get())

    reset = here.set(place)
    threads = [threading.Thread(target=look), threading.Thread(target=carry(look))]
    here.reset(reset)
    for thread in threads:
        thread.start()
        thread.join()

    assert seen == [None, place]


def test_what_is_carried_may_be_called_by_many_at_once_and_keeps_what_it_sets_to_itself() -> None:
    def move(number: int) -> None:
        here.set(RecordedPlace(ExecutionId(str(number)), RunPath("")))

    carried = carry(move)
    threads = [threading.Thread(target=carried, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert here.get() is None


async def test_an_execution_is_its_pipelines_own_only_while_that_runs() -> None:
    execution = ExecutionId("an execution")
    journal = object()
    with run_by_pipeline(execution, journal):
        assert is_run_by_pipeline(execution)
        recorder = recorder_of(execution)
        assert recorder is not None
        assert recorder.journal is journal
        assert not is_run_by_pipeline(ExecutionId("another"))
    assert not is_run_by_pipeline(execution)
    assert recorder_of(execution) is None


async def test_what_records_an_execution_is_known_until_it_has_ended() -> None:
    execution, journal = ExecutionId("an execution"), object()
    assert recorder_of(execution) is None
    begin_recording(execution, journal)
    recorder = recorder_of(execution)
    assert recorder is not None
    assert (recorder.journal, recorder.loop, recorder.calls) == (journal, asyncio.get_running_loop(), None)
    end_recording(execution, object())
    assert recorder_of(execution) is recorder
    end_recording(execution, journal)
    end_recording(execution, journal)
    assert recorder_of(execution) is None
