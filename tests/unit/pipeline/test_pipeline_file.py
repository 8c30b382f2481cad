"""Whatever lies in a pipeline file: a pipeline, or problems with their line and column."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ia_modules.errors import PipelineDefinitionError, Problem
from ia_modules.pipeline.pipeline_file import MOST_BYTES, read_file

YAML = """name: Nightly
steps:
  - id: load
    module: steps
    step_class: load
    timeout_seconds: soon
    colour: red
flow:
  start_at: lode
  paths: [{from: load, to: nowhere}]
"""
JSON = """{
\t"name": "Nightly",
\t"steps": [
\t\t{"id": "load", "module": "steps", "class": "load", "config": {
\t\t\t"prompt": "{{ parameters.a }} {{ steps.x.output.y }}"}}
\t],
\t"flow": {"start_at": "load", "paths": [{"from": "load", "to": "nowhere"}]}
}"""


def problems_of(path: Path) -> list[Problem]:
    with pytest.raises(PipelineDefinitionError) as wrong:
        file = read_file(path)
        raise PipelineDefinitionError(file.examine(strict=True).errors)
    return list(wrong.value.problems)


def test_problems_of_the_model_and_of_the_graph_have_line_and_column(tmp_path: Path) -> None:
    yaml, json = tmp_path / "a.yaml", tmp_path / "a.json"
    yaml.write_text(YAML)
    places = {problem.where: (problem.line, problem.column) for problem in problems_of(yaml)}
    assert places == {"$.steps[0].timeout_seconds": (6, 22), "$.steps[0].colour": (7, 13)}
    yaml.write_text(YAML.replace("timeout_seconds: soon", "timeout_seconds: 1").replace("    colour: red\n", ""))
    places = {problem.where: (problem.line, problem.column) for problem in problems_of(yaml)}
    assert places["$.flow.start_at"] == (8, 13)
    assert places["$.flow.paths[0].to"] == (9, 28)
    json.write_text(JSON)
    places = {problem.where: (problem.line, problem.column) for problem in problems_of(json)}
    assert places["$.steps[0].config.prompt"] == (5, 14)
    assert places["$.flow.paths[0].to"] == (7, 64)


BROKEN: list[tuple[bytes, str]] = [
    (
        b"\xff\xfea\0:\0",
        "line 1, column 1: found what is not UTF-8 at byte 0; expected text in UTF-8. It is UTF-16",
    ),
    (b"a: 1\nb: \xc3\xa9\xff", "line 2, column 5: found what is not UTF-8 at byte 10"),
    (b"", "$, line 1, column 1: found null; expected a mapping."),
]


@pytest.mark.parametrize(("content", "problem"), BROKEN)
def test_a_file_that_is_no_text_or_empty_is_a_problem_with_its_place(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(content)
    assert str(problems_of(file)[0]).startswith(problem)


def a_folder(path: Path) -> None:
    path.mkdir()


def a_loop_of_links(path: Path) -> None:
    path.symlink_to(path)


def a_huge_file(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)


@pytest.mark.parametrize("make", [a_folder, a_loop_of_links, a_huge_file, lambda path: None])
def test_what_cannot_be_read_is_a_problem_that_names_the_file(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "a.yaml"
    make(path)
    (problem,) = problems_of(path)
    assert problem.where == "the file"
    assert str(path) in problem.found


def test_a_name_with_nul_is_a_problem() -> None:
    assert problems_of(Path("a\0.yaml"))[0].where == "the file"


WORDS = [
    "{",
    "}",
    "{{",
    "[",
    "]",
    ":",
    "- ",
    "\n",
    "\n  ",
    "&a ",
    "*a",
    "<<: ",
    "!x ",
    "!!int ",
    "? ",
    "|",
    ">",
    '"',
    "'",
]
MORE_WORDS = [
    "a",
    "1",
    "~",
    "#",
    ",",
    "%",
    "---\n",
    "...",
    "\\u",
    "\\ud800",
    "\t",
    "\r\n",
    "steps",
    "flow",
    "name",
    "é",
    "\0",
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(
    content=st.binary() | st.lists(st.sampled_from(WORDS + MORE_WORDS)).map(lambda words: "".join(words).encode()),
    name=st.sampled_from(["a.json", "a.yaml"]),
)
def test_any_bytes_are_a_pipeline_or_problems_with_a_place(tmp_path: Path, content: bytes, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    for problem in problems_of(file):
        assert min(problem.line or 0, problem.column or 0) >= 1
        assert all((problem.where, problem.found, problem.expected))
