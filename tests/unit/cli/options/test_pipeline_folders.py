import os
from pathlib import Path
from typing import Any

import pytest

from ia_modules.cli.options.pipeline_folders import allowed_below
from ia_modules.pipeline.allowed_code import FOLDERS_VARIABLE
from tests.unit.cli.conftest import command_named

COMMANDS = (["worker"], ["serve"], ["run", "p.json"], ["executions", "resume", "x"])


def folders_of(words: list[str], *options: str) -> Any:
    """The folders that a command is given, without running it."""
    command, words = command_named(*words)
    with command.make_context("test", [*words, *options]) as context:
        return context.params["pipelines"]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_folders_come_from_the_option_or_from_the_environment(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDERS_VARIABLE, os.pathsep.join(["/a b", "c"]))
    assert folders_of(words) == [Path("/a b"), Path("c")]
    assert folders_of(words, "--pipelines", "/d", "--pipelines", "e") == [Path("/d"), Path("e")]
    monkeypatch.setenv(FOLDERS_VARIABLE, "")
    assert not folders_of(words)


def test_without_folders_it_is_the_current_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folders in (None, []):
        assert allowed_below(folders).roots == (tmp_path,)
    assert allowed_below([Path("a"), Path("/b")]).roots == (tmp_path / "a", Path("/b"))
