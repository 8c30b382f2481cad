"""Files with a runtime_env: read, laid over each other, found beside a pipeline, and never told."""

from pathlib import Path
from typing import Any

import pytest

from ia_modules.errors import PipelineDefinitionError
from ia_modules.pipeline.code import LoadedPipeline, load_pipeline
from ia_modules.pipeline.loader import load
from ia_modules.pipeline.runtime_env import laid_over, read_runtime_env
from ia_modules.pipeline.step_modules import StepModules
from tests.unit.pipeline.factories import document, task


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("hunter2", "cannot be read: it is no JSON"),
        ('["hunter2"]', "is no mapping in JSON"),
        (None, "cannot be read: No"),
    ],
)
def test_a_file_that_has_none_is_refused_without_a_word_of_it(text: str | None, why: str, tmp_path: Path) -> None:
    file = tmp_path / "env.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ValueError, match=why) as wrong:
        read_runtime_env(file)
    assert "hunter2" not in str(wrong.value)


@pytest.mark.parametrize(
    ("below", "above", "both"),
    [
        ({}, {"pip": ["a"]}, {"pip": ["a"]}),
        ({"pip": ["a"], "working_dir": "w"}, {"pip": ["b"]}, {"pip": ["b"], "working_dir": "w"}),
        ({"env_vars": {"A": "1", "B": "1"}}, {"env_vars": {"B": "2"}}, {"env_vars": {"A": "1", "B": "2"}}),
    ],
)
def test_that_of_a_step_lies_over_that_of_the_operator(
    below: dict[str, Any], above: dict[str, Any], both: dict[str, Any]
) -> None:
    before = repr((below, above))
    assert laid_over(below, above) == both
    assert repr((below, above)) == before


def loaded(folder: Path | None, name: str) -> LoadedPipeline:
    keys: dict[str, Any] = {"executor": "ray", "resources": {"runtime_env": name}}
    step = task("train", **keys) | {"module": "json", "step_class": "loads"}
    return load_pipeline(load(document(step)).definition, StepModules(folder))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "env.json").write_text('{"env_vars": {"TOKEN": "hunter2"}}')
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "env.json").write_text('{"pip": ["torch"]}')
    (tmp_path / "flows" / "wrong.json").write_text("hunter2")
    (tmp_path / "flows" / "way-out.json").symlink_to(tmp_path / "env.json")
    (tmp_path / "flows" / "loop.json").symlink_to("loop.json")
    return tmp_path / "flows"


def test_a_step_names_a_file_beside_its_pipeline_of_which_only_the_path_is_kept(folder: Path) -> None:
    pipeline = loaded(folder, "env.json")
    assert pipeline.remote["train"].needs.runtime_env == str(folder.resolve() / "env.json")
    assert "torch" not in str(pipeline.definition.to_json())
    assert pipeline.warnings == ()


@pytest.mark.parametrize(
    "name",
    ["../env.json", "way-out.json", "none.json", ".", "/etc/hostname", "wrong.json", "a\0b", 300 * "x", "loop.json"],
)
def test_a_file_elsewhere_or_one_that_has_none_is_refused(name: str, folder: Path) -> None:
    with pytest.raises(PipelineDefinitionError, match=r"resources\.runtime_env: found ") as wrong:
        loaded(folder, name)
    assert "hunter2" not in str(wrong.value)


def test_a_pipeline_without_a_folder_has_no_file() -> None:
    with pytest.raises(PipelineDefinitionError, match="no file in the folder of the pipeline"):
        loaded(None, "env.json")
