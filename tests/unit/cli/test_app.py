import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from ia_modules.cli.app import app
from tests.unit.cli.conftest import command_on


def every_command() -> list[list[str]]:
    """The words of every command and group there is."""
    found: list[list[str]] = []
    waiting = [([], typer.main.get_command(app))]
    while waiting:
        words, known = waiting.pop()
        found.append(words)
        waiting += [([*words, name], inner) for name, inner in getattr(known, "commands", {}).items()]
    return sorted(found)


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_every_help_has_an_example_of_this_very_command(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    shown = command_on("", monkeypatch)(*words, "--help")
    assert shown.exit_code == 0
    assert f"Example: {' '.join(['ia-modules', *words])} " in shown.stdout
    assert "\x1b" not in shown.stdout


def test_the_commands_are_these() -> None:
    leaves = {" ".join(words) for words in every_command()}
    assert leaves >= {
        "run",
        "executions list",
        "executions show",
        "executions watch",
        "executions cancel",
        "executions resume",
        "executions rerun",
        "executions delete",
        "executions export",
        "executions logs",
        "pipelines list",
        "pipelines import",
        "pipelines validate",
        "pipelines graph",
        "pipelines archive",
        "pipelines delete",
        "pipelines schema",
    }


@pytest.mark.parametrize("words", [["run"], ["executions", "resume"]])
def test_who_runs_something_is_told_the_exit_statuses(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    shown = " ".join(command_on("", monkeypatch)(*words, "--help").stdout.split())
    assert "0 completed, 1 failed or cancelled, 2 could not start (nothing is recorded), 3 waits for a person" in shown


@pytest.mark.parametrize(
    "words",
    [words for words in every_command() if words[-1:] in (["cancel"], ["rerun"], ["delete"], ["archive"], ["logs"])],
    ids=" ".join,
)
def test_who_changes_something_is_told_the_exit_statuses(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Exit status: 0 " in command_on("", monkeypatch)(*words, "--help").stdout


def test_the_script_and_the_module_are_the_same_command_line() -> None:
    script, module = [str(Path(sys.executable).with_name("ia-modules"))], [sys.executable, "-m", "ia_modules.cli"]
    for words in (["--version"], ["--help"], ["executions", "--help"], ["nonsense"]):
        done = [
            subprocess.run([*command, *words], capture_output=True, text=True, timeout=60, check=False)
            for command in (script, module)
        ]
        assert len({(each.returncode, each.stdout, each.stderr) for each in done}) == 1
        assert "ia-modules" in done[0].stdout + done[0].stderr
