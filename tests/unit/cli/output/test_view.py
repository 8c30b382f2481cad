import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Command, newest
from tests.unit.cli.pipeline_files import nightly, step, write
from tests.unit.cli.programs import CONTROL_CODES, finished, is_running, lines_until, piped

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"])  # what is printed has been read by then


def test_json_is_one_line_for_each_change_and_the_result_last(database_url: str, tmp_path: Path) -> None:
    status, out, err = finished(database_url, "run", nightly(tmp_path), "--json")
    assert status == 0
    assert err == "a step prints\n"
    assert CONTROL_CODES & set(out) == set()
    messages = [json.loads(line) for line in out.splitlines()]
    assert {message["type"] for message in messages} == {"step_update", "log", "execution_update", "result"}
    assert [message["sequence"] for message in messages] == sorted(message["sequence"] for message in messages)
    ended = {message["data"]["step_id"] for message in messages if message["data"].get("output_bytes")}
    assert ended == {"fetch", "score", "count", "store"}
    assert messages[-1]["type"] == "result"
    assert messages[-1]["data"]["output_data"] == {"score": 7}


def test_in_a_pipe_there_are_lines_without_control_codes(database_url: str, tmp_path: Path) -> None:
    status, out, err = finished(database_url, "run", nightly(tmp_path))
    assert status == 0
    assert CONTROL_CODES & set(out + err) == set()
    assert any(
        line.split()[1:4] == ["score", "failed", "1"] or "again after 10 ms" in line for line in out.splitlines()
    )
    assert any(line.split()[1:3] == ["fetch", "info"] and '{"day":null}' in line for line in out.splitlines())


def test_who_stops_reading_does_not_stop_the_execution(database_url: str, command: Command, tmp_path: Path) -> None:
    release = tmp_path / "release"
    file = write(tmp_path, step("wait", "UntilReleased", config={"file": str(release)}), step("count", "Count"))
    with piped(database_url, "run", file, "--json") as process:
        lines_until(process, is_running("wait"))
        assert process.stdout is not None
        process.stdout.close()
        release.touch()
        assert process.wait(60) == 0
    assert newest(command)["status"] == "completed"
