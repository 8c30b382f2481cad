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
