import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ia_modules.errors import PipelineDefinitionError
from ia_modules.models import PipelineId, PipelineVersionRecord
from ia_modules.pipeline.code import allowed_modules, load_version
from tests.unit.pipeline.factories import document, task


def stored(module: str, folder: Path | None) -> PipelineVersionRecord:
    return PipelineVersionRecord(
        pipeline_id=PipelineId("p"),
        version=1,
        definition=document(task("a", module=module, step_class="Named")),
        content_hash="",
        source_folder=None if folder is None else str(folder),
        created_at=datetime(2026, 11, 24, tzinfo=UTC),
    )


def test_nothing_is_allowed_until_it_is_said() -> None:
    assert allowed_modules({}) == ()
    assert allowed_modules({"IA_MODULES_STEP_MODULES": " my.steps.* ,, other "}) == ("my.steps.*", "other")


def test_installed_packages_that_offer_steps_are_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offered = tmp_path / "offered_steps-1.0.dist-info"
    offered.mkdir()
    (offered / "METADATA").write_text("Metadata-Version: 2.1\nName: offered-steps\nVersion: 1.0\n")
    (offered / "entry_points.txt").write_text("[ia_modules.steps]\nall = offered.steps\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert allowed_modules({"IA_MODULES_STEP_MODULES": "mine"}) == ("mine", "offered.steps", "offered.steps.*")


def test_the_folder_of_a_stored_definition_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("def Named(data):\n    return data\n")
    loaded = load_version(stored("beside", tmp_path), allowed=())
    assert loaded.folder == tmp_path
    assert list(loaded.factories) == ["a"]


@pytest.mark.parametrize(
    ("line", "home"),
    [("from subprocess import run as Named", "subprocess"), ("from os import system as Named", "posix")],
)
def test_a_module_does_not_give_away_what_it_imported(tmp_path: Path, line: str, home: str) -> None:
    (tmp_path / "beside.py").write_text(f"{line}\n")
    with pytest.raises(PipelineDefinitionError, match=f"code of '{home}', which may not be used here"):
        load_version(stored("beside", tmp_path), allowed=("my.steps.*",))


def test_a_module_may_offer_what_lies_beside_it_or_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text("def Named(data):\n    return data\n")
    (tmp_path / "beside.py").write_text("from other import Named\n")
    assert list(load_version(stored("beside", tmp_path), allowed=()).factories) == ["a"]
    (tmp_path / "beside.py").write_text("from subprocess import run as Named  # allowed by name\n")
    assert list(load_version(stored("beside", tmp_path), allowed=("subprocess",)).factories) == ["a"]


@pytest.mark.parametrize("folder", [True, False])
def test_other_modules_are_refused_even_if_they_could_be_imported(tmp_path: Path, folder: bool) -> None:
    with pytest.raises(PipelineDefinitionError, match="'os' is not among the modules that may be used here"):
        load_version(stored("os", tmp_path if folder else None), allowed=("os.*", "posix"))
