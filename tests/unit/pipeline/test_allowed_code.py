import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ia_modules.errors import PipelineDefinitionError
from ia_modules.models import PipelineId, PipelineVersionRecord
from ia_modules.pipeline.allowed_code import FOLDERS_VARIABLE, AllowedCode, allowed_code, allowed_modules


def test_nothing_but_our_own_steps_is_allowed_until_it_is_said() -> None:
    assert allowed_modules({}) == ("ia_modules.steps",)
    mine = {"IA_MODULES_STEP_MODULES": " my.steps.* ,, other "}
    assert allowed_modules(mine) == ("my.steps.*", "other", "ia_modules.steps")


def test_installed_packages_that_offer_steps_are_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offered = tmp_path / "offered_steps-1.0.dist-info"
    offered.mkdir()
    (offered / "METADATA").write_text("Metadata-Version: 2.1\nName: offered-steps\nVersion: 1.0\n")
    (offered / "entry_points.txt").write_text("[ia_modules.steps]\nall = offered.steps\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    allowed = ("mine", "offered.steps", "offered.steps.*", "ia_modules.steps")
    assert allowed_modules({"IA_MODULES_STEP_MODULES": "mine"}) == allowed


def version_in(folder: Path | str | None) -> PipelineVersionRecord:
    return PipelineVersionRecord(
        pipeline_id=PipelineId("p"),
        version=1,
        definition={},
        content_hash="",
        source_folder=None if folder is None else str(folder),
        created_at=datetime(2026, 11, 24, tzinfo=UTC),
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with a folder below it, one of a similar name beside it, and links that lead in and out."""
    for name in ("top/below/deep", "top2", "outside"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "top" / "out").symlink_to(tmp_path / "outside")
    (tmp_path / "in").symlink_to(tmp_path / "top" / "below")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "linked_top").symlink_to(tmp_path / "top")
    return tmp_path / "top"


@pytest.mark.parametrize("folder", ["top", "top/below", "top/below/deep", "top/../top/below", "in", "top/nothing"])
@pytest.mark.parametrize("named", ["top", "top/../top", "linked_top"])
def test_a_folder_in_or_below_a_root_is_used_as_it_really_is(root: Path, folder: str, named: str) -> None:
    allowed = allowed_code([root.parent / named])
    place = root.parent / folder
    assert allowed.folder_of(version_in(place)) == place.resolve()


@pytest.mark.parametrize(
    "folder", ["", "top2", "outside", "top/out", "top/../outside", "top/below/../..", "loop", "nul\0", "/"]
)
def test_a_folder_elsewhere_is_refused_with_its_name_and_the_option(root: Path, folder: str) -> None:
    place = f"{root.parent}/{folder}"
    with pytest.raises(PipelineDefinitionError) as refused:
        allowed_code([root]).folder_of(version_in(place))
    message = str(refused.value)
    assert f"found the folder {place}, whose code may not be used here; expected one in or below {root}." in message
    assert "--pipelines FOLDER, or IA_MODULES_PIPELINES" in message


def test_a_root_that_is_no_folder_allows_nothing(root: Path) -> None:
    assert allowed_code([root.parent / "loop", Path("nul\0"), root]).roots == (root,)
    assert allowed_code([root.parent / "loop"]).roots == ()


def test_a_relative_folder_in_the_database_is_below_the_current_one(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    assert allowed_code([Path()]).folder_of(version_in("below")) == root / "below"
    with pytest.raises(PipelineDefinitionError):
        allowed_code([Path()]).folder_of(version_in("../outside"))


def test_no_folder_needs_no_root() -> None:
    assert AllowedCode(roots=()).folder_of(version_in(None)) is None
    with pytest.raises(PipelineDefinitionError, match="in or below none"):
        AllowedCode(roots=()).folder_of(version_in("/"))


def test_without_roots_every_folder_is_used_until_the_environment_names_some(root: Path) -> None:
    other = root.parent / "outside"
    assert allowed_code(environ={}).folder_of(version_in(other)) == other
    assert allowed_code(environ={FOLDERS_VARIABLE: ""}).roots is None
    both = allowed_code(environ={FOLDERS_VARIABLE: os.pathsep.join([str(root), str(other)])})
    assert both.roots == (root, other)
