import signal

from tests.unit.cli.conftest import Command
from tests.unit.cli.programs import lines_until, piped


def test_a_worker_says_what_it_works_on_and_ends_well_when_told_to(empty_database_url: str) -> None:
    with piped(empty_database_url, "worker", "--slots", "2") as process:
        (line,) = lines_until(process, lambda line: True)
        assert line.startswith("Worker ")
        assert ", 2 slots " in line
        assert f" on {empty_database_url.partition(':')[0]}" in line
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.startswith("Stopping: ")


def test_a_database_that_cannot_be_reached_is_told_in_one_line(command: Command) -> None:
    result = command("worker", "--db", "postgresql://me:hunter2@127.0.0.1:1/ia")
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert "127.0.0.1:1" in result.stderr
    assert "hunter2" not in result.stderr
