import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ia_modules.errors import PipelineDefinitionError
from ia_modules.models import PipelineId, PipelineVersionRecord
from ia_modules.payload import content_hash, encode
from ia_modules.pipeline.allowed_code import AllowedCode
from ia_modules.pipeline.code import LoadedPipeline, StepModules, load_pipeline, load_version
from ia_modules.pipeline.loader import load
from ia_modules.pipeline.runner import run_pipeline_from_json
from tests.unit.pipeline.factories import document, task

STEPS = """
import dataclasses
import helpers
from package.inner import WORD
from ia_modules.pipeline.core import Step

@dataclasses.dataclass
class Kept:
    value: str

class Say(Step):
    async def run(self, data):
        return {"said": Kept(helpers.greeting()).value + WORD}
"""


def write_folder(folder: Path, greeting: str) -> Path:
    (folder / "package").mkdir(parents=True)
    (folder / "steps.py").write_text(STEPS)
    (folder / "helpers.py").write_text(f"def greeting():\n    return {greeting!r}\n")
    (folder / "package" / "__init__.py").write_text("")
    (folder / "package" / "inner.py").write_text("from .suffix import WORD\n")
    (folder / "package" / "suffix.py").write_text("WORD = '!'\n")
    (folder / "pipeline.json").write_text(
        '{"name": "Say", "steps": [{"id": "say", "class": "Say", "module": "steps"}], "flow": {"start_at": "say"}}'
    )
    return folder / "pipeline.json"


async def test_two_folders_may_have_modules_of_the_same_names(tmp_path: Path) -> None:
    path, modules = list(sys.path), set(sys.modules)
    for folder, greeting in (("one", "hello"), ("two", "good bye"), ("one", "hello")):
        pipeline_file = tmp_path / folder / "pipeline.json"
        if not pipeline_file.exists():
            write_folder(tmp_path / folder, greeting)
        result = await run_pipeline_from_json(pipeline_file)
        assert result["output"]["said"] == f"{greeting}!"
    assert sys.path == path
    assert not {"steps", "helpers", "package"} & (set(sys.modules) - modules)


async def test_a_module_that_was_changed_is_loaded_anew(tmp_path: Path) -> None:
    pipeline_file = write_folder(tmp_path, "before")
    await run_pipeline_from_json(pipeline_file)
    (tmp_path / "steps.py").write_text(STEPS.replace("Kept(helpers.greeting()).value", "'after, and longer'"))
    assert (await run_pipeline_from_json(pipeline_file))["output"]["said"] == "after, and longer!"


def loaded(folder: Path, *, allowed: tuple[str, ...] | None = None, **step: Any) -> LoadedPipeline:
    return load_pipeline(load(document(task("a", **step))).definition, StepModules(folder, allowed=allowed))


def test_code_that_cannot_be_used_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise RuntimeError('not today')\n")
    (tmp_path / "plain.py").write_text("class Plain:\n    pass\nVALUE = 3\n")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"module": "nowhere", "step_class": "A"}, "module 'nowhere' cannot be imported"),
        ({"module": "broken", "step_class": "A"}, "module 'broken' .* RuntimeError: not today"),
        ({"module": "plain", "step_class": "Missing"}, "module 'plain' has no 'Missing'; it has Plain, VALUE"),
        ({"module": "plain", "step_class": "Plain"}, "class Plain, which does not derive from"),
        ({"module": "plain", "step_class": "VALUE"}, "a value of type int, which is neither a class nor a function"),
    ]
    for step, found in cases:
        with pytest.raises(PipelineDefinitionError, match=rf"\$\.steps\[0\]: found {found}.*expected a class"):
            loaded(tmp_path, **step)


def test_modules_from_elsewhere_must_be_allowed_where_there_is_a_list(tmp_path: Path) -> None:
    for module in ("os", "subprocess"):
        with pytest.raises(PipelineDefinitionError, match=f"module '{module}' is not among .* ia_modules.pipeline.*"):
            loaded(tmp_path, allowed=("ia_modules.pipeline.*",), module=module, step_class="system")
    allowed = loaded(tmp_path, allowed=("ia_modules.pipeline.*",), module="ia_modules.pipeline.core", step_class="Step")
    assert set(allowed.factories) == {"a"}


def test_a_module_outside_of_the_folder_is_not_found_in_it(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "outside.py").write_text("def a(data):\n    return {}\n")
    (inside / "linked.py").symlink_to(tmp_path / "outside.py")
    for module in ("outside", "linked"):
        with pytest.raises(PipelineDefinitionError, match=f"module '{module}'"):
            loaded(inside, module=module, step_class="a")


def stored(module: str, folder: Path | None) -> PipelineVersionRecord:
    definition = document(task("a", module=module, step_class="Named"))
    return PipelineVersionRecord(
        pipeline_id=PipelineId("p"),
        version=1,
        definition=definition,
        content_hash=content_hash(encode(definition, "definition")),
        source_folder=None if folder is None else str(folder),
        created_at=datetime(2026, 11, 24, tzinfo=UTC),
    )


def test_the_folder_of_a_stored_definition_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("def Named(data):\n    return data\n")
    loaded = load_version(stored("beside", tmp_path), allowed=AllowedCode())
    assert loaded.folder == tmp_path
    assert list(loaded.factories) == ["a"]


@pytest.mark.parametrize(
    ("line", "home"),
    [("from subprocess import run as Named", "subprocess"), ("from os import system as Named", "posix")],
)
def test_a_module_does_not_give_away_what_it_imported(tmp_path: Path, line: str, home: str) -> None:
    (tmp_path / "beside.py").write_text(f"{line}\n")
    with pytest.raises(PipelineDefinitionError, match=f"code of '{home}', which may not be used here"):
        load_version(stored("beside", tmp_path), allowed=AllowedCode(("my.steps.*",)))


def test_a_module_may_offer_what_lies_beside_it_or_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text("def Named(data):\n    return data\n")
    (tmp_path / "beside.py").write_text("from other import Named\n")
    assert list(load_version(stored("beside", tmp_path), allowed=AllowedCode()).factories) == ["a"]
    (tmp_path / "beside.py").write_text("from subprocess import run as Named  # allowed by name\n")
    assert list(load_version(stored("beside", tmp_path), allowed=AllowedCode(("subprocess",))).factories) == ["a"]


@pytest.mark.parametrize("folder", [True, False])
def test_other_modules_are_refused_even_if_they_could_be_imported(tmp_path: Path, folder: bool) -> None:
    with pytest.raises(PipelineDefinitionError, match="'os' is not among the modules that may be used here"):
        load_version(stored("os", tmp_path if folder else None), allowed=AllowedCode(("os.*", "posix")))
