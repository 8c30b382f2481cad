from pathlib import Path

import pytest

from tests.unit.cli.conftest import Command, command_on, newest
from tests.unit.cli.pipeline_files import step, write


@pytest.mark.parametrize("way", ["text", "file", "stdin"])
def test_the_input_comes_as_text_from_a_file_or_from_stdin(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = command_on(f"sqlite:///{tmp_path / 'ia.db'}", monkeypatch)
    (tmp_path / "input.json").write_text('{"count": 41}')
    input_text = {"text": '{"count": 41}', "file": f"@{tmp_path / 'input.json'}", "stdin": "-"}[way]
    file = write(tmp_path, step("increase", "Count"))
    result = command("run", file, "--input", input_text, stdin='{"count": 41}' if way == "stdin" else None)
    assert result.exit_code == 0
    assert newest(command)["output_data"]["count"] == 42


@pytest.mark.parametrize(
    ("input_text", "message"),
    [
        ('{"day": ', "line 1, column 9"),
        ("[1]", "found a list; expected an object"),
        ("@nothing.json", "'nothing.json' cannot be read: No such file or directory"),
        ('{"day": "x"}', "$.day"),
        ("{}", "day"),
        ('{"day": 1, "ratio": NaN}', "$.ratio"),
        ('{"day": 1, "count": 1e999}', "$.count"),
    ],
)
def test_a_bad_input_is_refused_and_nothing_is_recorded(
    nowhere: Command, tmp_path: Path, input_text: str, message: str
) -> None:
    day = {"name": "day", "schema": {"type": "integer"}, "required": True}
    result = nowhere("run", write(tmp_path, step("count", "Count"), parameters=[day]), "--input", input_text)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert "expected" in result.stderr or "cannot be read" in result.stderr or "not valid JSON" in result.stderr
    assert not (tmp_path / "none.db").exists()
