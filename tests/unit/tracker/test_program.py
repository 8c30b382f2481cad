"""Programs that do nothing for their record but decorate functions: how they end, fork, and lose their database."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from textwrap import dedent

import apsw
import pytest

from ia_modules import tracked
from ia_modules.database.manager import DatabaseManager
from ia_modules.tracker import calls, program
from ia_modules.tracker.program import ProgramRecorder
from tests.unit.tracker.tracked_records import RecordedProgram, programs_in

HEAD = """
import logging, os, signal, sys, threading, time
from ia_modules import tracked

@tracked
def part(number):
    return 2 * number
"""


def run(folder: Path, text: str, url: str | None = None, *, code: int = 0) -> subprocess.CompletedProcess[str]:
    """A program in a file of this folder, run to its end."""
    file = folder / "a_program.py"
    file.write_text(HEAD + dedent(text))
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environment |= {"PYTHONPATH": os.pathsep.join(sys.path)} | ({"DATABASE_URL": url} if url else {})
    ran = subprocess.run(
        [sys.executable, str(file)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == code, ran.stderr
    return ran


def only(url: str) -> RecordedProgram:
    [one] = programs_in(url)
    return one


WHOLE = """
    @tracked
    def main():
        return [part(number) for number in range(3)]

    print(main())
"""


def test_two_decorators_are_all_that_a_program_needs(tmp_path: Path) -> None:
    ran = run(tmp_path, WHOLE)
    assert (ran.stdout, ran.stderr) == ("[0, 2, 4]\n", "")
    recorded = only(f"sqlite:///{tmp_path / 'ia_modules.db'}")
    assert (recorded.name, recorded.status, recorded.output_data) == ("main", "completed", [0, 2, 4])
    assert [call.output_data for call in recorded.calls.values()] == [0, 2, 4]


def test_it_records_where_the_environment_says(tmp_path: Path, empty_database_url: str) -> None:
    assert run(tmp_path, WHOLE, empty_database_url).stdout == "[0, 2, 4]\n"
    assert len(only(empty_database_url).calls) == 3
    assert not (tmp_path / "ia_modules.db").exists()


@pytest.mark.parametrize(
    ("ending", "code", "status"),
    [
        ("sys.exit()", 0, "completed"),
        ("sys.exit(3)", 3, "failed"),
        ("raise LookupError('no data')", 1, "failed"),
        ("signal.raise_signal(signal.SIGINT)", -signal.SIGINT, "cancelled"),
    ],
)
def test_a_program_ends_as_without_the_decorator(
    tmp_path: Path, database_url: str, ending: str, code: int, status: str
) -> None:
    handler = "signal.signal(signal.SIGINT, signal.default_int_handler)"  # as Python has it, wherever the tests run
    program = f"{handler}\n\n@tracked\ndef main():\n    part(1)\n    {ending}\n\nmain()"
    ran = run(tmp_path, program, database_url, code=code)
    assert ("Traceback" in ran.stderr) == (code in (1, -signal.SIGINT))
    assert "ia_modules.tracker" not in ran.stderr
    recorded = only(database_url)
    assert (recorded.status, recorded.statuses) == (status, {"part#1": "completed"})


def test_what_threads_do_after_the_main_one_is_recorded_too(tmp_path: Path, database_url: str) -> None:
    text = """
    @tracked
    def late():
        threading.main_thread().join()
        return part(4)

    @tracked
    def never_ends():
        threading.Event().wait()

    threading.Thread(target=late).start()
    threading.Thread(target=never_ends, daemon=True).start()
    """
    assert run(tmp_path, text, database_url).stderr == ""
    by_name = {each.name: each for each in programs_in(database_url)}
    assert (by_name["late"].status, by_name["late"].output_data) == ("completed", 8)
    assert (by_name["never_ends"].status, by_name["never_ends"].error[0]) == ("cancelled", "ProgramEnded")


def test_what_was_written_stands_when_the_process_is_killed(tmp_path: Path, database_url: str) -> None:
    text = """
    from ia_modules.tracker.program import flush

    @tracked
    def dies():
        flush()
        os.kill(os.getpid(), signal.SIGKILL)

    @tracked
    def main():
        part(1)
        dies()

    main()
    """
    run(tmp_path, text, database_url, code=-signal.SIGKILL)
    with DatabaseManager(database_url) as database:
        [execution] = database.fetch_all("SELECT status, owner FROM pipeline_executions")
        steps = database.fetch_all("SELECT step_id, status FROM step_executions ORDER BY step_id")
    assert execution["status"] == "running"
    assert execution["owner"] is not None
    assert [(step["step_id"], step["status"]) for step in steps] == [("dies", "running"), ("part", "completed")]


CHILD_WARNING = "not on record in a child process"


def test_a_forked_child_records_nothing_and_says_so_once(tmp_path: Path, database_url: str) -> None:
    text = """
    import warnings
    warnings.simplefilter("ignore")

    @tracked
    def main():
        part(1)
        child = os.fork()
        if child == 0:
            print("child", part(2), part(3), flush=True)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        return part(4)

    print("parent", main())
    """
    ran = run(tmp_path, text, database_url)
    assert ran.stdout == "child 4 6\nparent 8\n"
    assert ran.stderr.count(CHILD_WARNING) == 1
    recorded = only(database_url)
    assert (recorded.status, [call.output_data for call in recorded.calls.values()]) == ("completed", [2, 8])


def test_a_forked_child_that_ends_by_itself_leaves_its_parents_record_alone(tmp_path: Path, database_url: str) -> None:
    text = """
    import warnings
    warnings.simplefilter("ignore")

    @tracked
    def main():
        if os.fork() == 0:
            part(2)
            sys.exit(7)
        assert os.waitstatus_to_exitcode(os.wait()[1]) == 7
        part(1)

    main()
    """
    run(tmp_path, text, database_url)
    recorded = only(database_url)
    assert (recorded.status, len(recorded.calls)) == ("completed", 1)


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_a_process_of_a_pool_records_nothing(tmp_path: Path, database_url: str, method: str) -> None:
    text = f"""
    import multiprocessing, warnings
    warnings.simplefilter("ignore")

    @tracked
    def main():
        with multiprocessing.get_context({method!r}).Pool(1) as pool:
            return pool.map(part, [1, 2])

    if __name__ == "__main__":
        print(main())
    """
    ran = run(tmp_path, text, database_url)
    assert ran.stdout == "[2, 4]\n"
    assert ran.stderr.count(CHILD_WARNING) == 1
    recorded = only(database_url)
    assert (recorded.status, recorded.calls) == ("completed", {})


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("postgresql://nobody@127.0.0.1:1/nothing", "DatabaseUnavailable"),
        ("sqlite:////no/such/folder/ia.db", "DatabaseRefused"),
        ("mysql://somewhere/else", "InvalidDatabaseUrl"),
        ("sqlite:///newer.db", "SchemaError"),
        ("sqlite:///no_database.db", "Database"),
    ],
)
def test_a_database_that_cannot_be_used_is_said_once(tmp_path: Path, url: str, kind: str) -> None:
    (tmp_path / "no_database.db").write_text("this is no database" * 1000)
    with DatabaseManager(f"sqlite:///{tmp_path / 'newer.db'}") as database:
        database.execute("UPDATE ia_migrations SET checksum = 'other'")
    ran = run(tmp_path, WHOLE + "    print(main())\n", url)
    assert ran.stdout == "[0, 2, 4]\n" * 2
    assert ran.stderr.count("\n") == 1
    assert f"not on record: {kind}" in ran.stderr
    assert ran.stderr.endswith("The program goes on.\n")


@pytest.fixture
def hasty(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Generator[ProgramRecorder]:
    """A recorder that gives up soon."""
    recorder = ProgramRecorder(database_url, give_up_seconds=0.3)
    program.forget_what_was_said()
    monkeypatch.setattr(program, "_recorder", recorder)
    yield recorder
    program.close()
    program.forget_what_was_said()


@tracked
def double(number: int) -> int:
    return 2 * number


@tracked
def doubles(numbers: list[int]) -> list[int]:
    return [double(number) for number in numbers]


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_a_database_that_is_locked_too_long_ends_the_record_of_what_ran_then(
    hasty: ProgramRecorder, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert doubles([1]) == [2]
    hasty.flush()
    lock = apsw.Connection(database_url.removeprefix("sqlite:///"))
    lock.execute("BEGIN IMMEDIATE")
    for _ in range(2):
        assert doubles([2, 3]) == [4, 6]
        hasty.flush()
        hasty.flush()
    threading.Event().wait(2)
    lock.execute("ROLLBACK")
    lock.close()
    assert doubles([4]) == [8]
    program.close()
    recorded = programs_in(database_url)
    assert [each.output_data for each in (recorded[0], recorded[-1])] == [[2], [8]]
    assert {each.status for each in recorded} == {"completed"}
    assert [record.levelname for record in caplog.records if record.name == "ia_modules.tracker"] == ["WARNING"]


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_a_program_that_is_faster_than_its_record_waits_for_room(
    hasty: ProgramRecorder, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "EVENTS_LIMIT", 20)
    monkeypatch.setattr(calls, "_ROOM_SECONDS", 60.0)
    assert doubles(list(range(500))) == list(range(0, 1000, 2))
    program.close()
    recorded = only(database_url)
    assert (recorded.status, len(recorded.calls)) == ("completed", 500)


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_what_goes_wrong_with_the_recording_itself_stays_there(
    hasty: ProgramRecorder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(value: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("ia_modules.tracker.tracked.likeness_of", broken)
    assert doubles([1]) == [2]
    assert "not on record: RuntimeError: broken" in caplog.text


def test_a_recorder_is_made_at_the_first_call_and_again_after_its_end(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    before = {thread.name for thread in threading.enumerate()}
    for _ in range(2):
        double(1)
        program.flush()
        program.close()
    assert [each.status for each in programs_in(database_url)] == ["completed", "completed"]
    assert {thread.name for thread in threading.enumerate() if thread.name.startswith("ia-")} <= before


def test_a_database_that_could_not_be_opened_is_looked_at_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "later"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{folder / 'ia.db'}")
    program.forget_what_was_said()
    with caplog.at_level(logging.WARNING):
        assert doubles([1]) == [2]
        program.flush()
        folder.mkdir()
        assert doubles([2]) == [4]
        monkeypatch.setattr(program, "AGAIN_SECONDS", 0.0)
        assert doubles([3]) == [6]
    program.close()
    assert only(f"sqlite:///{folder / 'ia.db'}").output_data == [6]
    assert len(caplog.records) == 1
    program.forget_what_was_said()
