"""What is wrong with a pipeline file or an input is said with what was found, what was expected, and where."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.unit.cli.conftest import Command
from tests.unit.cli.pipeline_files import CODE, compare, step
from tests.unit.pipeline.factories import document, path


class Bad(NamedTuple):
    """A change that makes a good file bad, and what is said of it: where, what was found, what was expected."""

    change: Callable[[dict[str, Any]], Any]
    where: str
    found: str
    expected: str


def good() -> dict[str, Any]:
    return document(step("fetch", "Fetch"), step("score", "Score"), paths=[("fetch", "score"), ("score", "end")])


def set_step(**keys: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda file: file["steps"][1].update(keys)


def set_condition(condition: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda file: file["flow"]["paths"][0].update(condition=condition)


ALWAYS_BAD = {
    "class": Bad(set_step(step_class="Scroe"), "$.steps[1]", "has no 'Scroe'", "a class"),
    "module": Bad(set_step(module="stepz"), "$.steps[1]", "'stepz' cannot be imported", "a class"),
    "type": Bad(set_step(type="taks"), "$.steps[1].type", '"taks"', "one of 'task'"),
    "no class": Bad(
        lambda file: file["steps"][1].pop("step_class"), "$.steps[1]", "no step_class", "the class that runs"
    ),
    "condition": Bad(set_condition("alwais"), "$.flow.paths[0].condition", '"alwais"', "one of the condition types"),
    "operator": Bad(
        set_condition(compare("result.rows", "greater", 1)), "$.flow.paths[0].condition", '"greater"', "an operator"
    ),
    "path to nowhere": Bad(
        lambda file: file["flow"]["paths"].append(path("score", "stroe")),
        "$.flow.paths[2].to_step",
        "'stroe', which is no step",
        "the id of a step",
    ),
    "path from nowhere": Bad(
        lambda file: file["flow"]["paths"].append(path("stroe", "score")),
        "$.flow.paths[2].from_step",
        "'stroe', which is no step",
        "the id of a step",
    ),
    "no start": Bad(lambda file: file["flow"].pop("start_at"), "$.flow", "no 'start_at'", "one"),
    "start nowhere": Bad(
        lambda file: file["flow"].update(start_at="fecth"), "$.flow.start_at", "'fecth', which is no step", "the step"
    ),
    "loop without a way out": Bad(
        lambda file: file["flow"]["paths"].append(path("score", "fetch")),
        "$.flow.paths[0]",
        "a loop without a way out: fetch, score",
        "some step may end it",
    ),
    "step twice": Bad(
        lambda file: file["steps"].append(step("score", "Count")), "$.steps[2].id", "a second step", "once"
    ),
}

BAD_WHEN_STRICT = {
    "unknown key": Bad(set_step(confg={}), "$.steps[1].confg", "the unknown key 'confg'", "Did you mean 'config'?"),
    "unreachable step": Bad(
        lambda file: file["steps"].append(step("alone", "Count")), "$.steps[2]", "'alone'", "leads"
    ),
}


def write(folder: Path, file: Any) -> str:
    (folder / "steps.py").write_text(CODE)
    bad = folder / "bad.json"
    bad.write_text(file if isinstance(file, str) else json.dumps(file))
    return str(bad)


def bad_file(folder: Path, bad: Bad) -> str:
    file = good()
    bad.change(file)
    return write(folder, file)


def assert_says(text: str, bad: Bad) -> None:
    lines = [line for line in text.splitlines() if line.startswith(f"- {bad.where}")]
    assert lines, text
    assert any(bad.found in line and bad.expected in line for line in lines), text
    assert "found " in text
    assert "expected " in text
    assert "Traceback" not in text


@pytest.mark.parametrize("case", ALWAYS_BAD)
def test_a_bad_file_does_not_run_and_nothing_is_recorded(nowhere: Command, tmp_path: Path, case: str) -> None:
    bad = ALWAYS_BAD[case]
    result = nowhere("run", bad_file(tmp_path, bad))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Error: {tmp_path / 'bad.json'} is not a pipeline that can be run:\n")
    assert_says(result.stderr, bad)
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize("case", [*ALWAYS_BAD, *BAD_WHEN_STRICT])
def test_validate_and_import_refuse_it_too(nowhere: Command, tmp_path: Path, case: str) -> None:
    bad = (ALWAYS_BAD | BAD_WHEN_STRICT)[case]
    file = bad_file(tmp_path, bad)
    validated = nowhere("pipelines", "validate", file)
    assert (validated.exit_code, validated.stderr) == (2, "")
    assert_says(validated.stdout, bad)
    imported = nowhere("pipelines", "import", file)
    assert (imported.exit_code, imported.stdout) == (2, "")
    assert_says(imported.stderr, bad)
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{"name": "x",\n "steps": [}', "line 2, column 12"),
        ("[]", "$, line 1, column 1"),
        ('{"name": "a", "name": "b"}', "line 1, column 15"),
    ],
)
def test_what_is_not_even_json_is_told_with_its_line(nowhere: Command, tmp_path: Path, text: str, where: str) -> None:
    file = write(tmp_path, text)
    for words in (["run"], ["pipelines", "import"], ["pipelines", "graph"]):
        result = nowhere(*words, file)
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"- {where}: found " in result.stderr
        assert "expected" in result.stderr
    yaml = tmp_path / "bad.yaml"
    yaml.write_text("name: [")
    assert "- line 1, column 8: found what is not YAML" in nowhere("run", str(yaml)).stderr


def test_a_file_that_is_not_there_or_not_text_is_told(nowhere: Command, tmp_path: Path) -> None:
    assert "- the file: found No such file" in nowhere("run", str(tmp_path / "none.json")).stderr
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe{")
    assert "found what is not UTF-8 at byte 0" in nowhere("run", str(tmp_path / "binary.json")).stderr
    assert "found Is a directory" in nowhere("run", str(tmp_path) + "/").stderr


def test_every_problem_of_every_file_is_told(nowhere: Command, tmp_path: Path) -> None:
    file = good()
    set_step(confg={}, step_class="Scroe")(file)
    del file["flow"]["start_at"]
    result = nowhere("pipelines", "validate", write(tmp_path, file), "--json")
    assert result.exit_code == 2
    answer = json.loads(result.stdout)
    assert answer["valid"] is False
    [checked] = answer["files"]
    assert {problem["where"] for problem in checked["problems"]} == {"$.steps[1].confg", "$.flow"}
    assert all(problem["found"] and problem["expected"] for problem in checked["problems"])


def test_code_is_checked_beside_what_only_strictness_refuses(nowhere: Command, tmp_path: Path) -> None:
    file = good()
    set_step(confg={}, step_class="Scroe")(file)
    lines = nowhere("pipelines", "validate", write(tmp_path, file)).stdout
    assert "2 problems" in lines
    assert "'Scroe'" in lines
    assert "'confg'" in lines


@pytest.mark.parametrize("words", [["run"], ["pipelines", "graph"]])
def test_an_unknown_slug_is_told(command: Command, words: list[str]) -> None:
    result = command(*words, "nightly\x1b[2J")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is neither a file here nor a registered pipeline" in result.stderr
    assert "ia-modules pipelines list" in result.stderr
    assert "\x1b" not in result.stderr
