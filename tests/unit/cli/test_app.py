import gc
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.conftest import command_named, command_on


def every_command() -> list[list[str]]:
    """The words of every command and group there is."""
    found: list[list[str]] = []
    waiting: list[list[str]] = [[]]
    while waiting:
        words = waiting.pop()
        found.append(words)
        waiting += [[*words, name] for name in getattr(command_named(*words)[0], "commands", {})]
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
        "executions import",
        "executions logs",
        "failures list",
        "failures show",
        "failures mute",
        "failures unmute",
        "failures mended",
        "interactions list",
        "interactions show",
        "interactions respond",
        "interactions assign",
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
    [
        words
        for words in every_command()
        if {*words} & {"cancel", "rerun", "delete", "archive", "logs", "respond", "assign"}
    ],
    ids=" ".join,
)
def test_who_changes_something_is_told_the_exit_statuses(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Exit status: 0 " in command_on("", monkeypatch)(*words, "--help").stdout


@pytest.mark.parametrize("name", command_named()[0].commands)
def test_the_list_of_commands_says_of_each_what_it_says_itself(name: str) -> None:
    listed, command = command_named()[0].commands[name], command_named(name)[0]
    assert listed.get_short_help_str(1_000) == command.get_short_help_str(1_000)


def test_a_command_that_is_misspelt_is_asked_back_for(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = command_on("", monkeypatch)("pipeline", "list")
    assert shown.exit_code == 2
    assert "No such command 'pipeline'. Did you mean 'pipelines'?" in shown.stderr


def imported_by(*command: str) -> set[str]:
    """The modules that a program imports, without those that each interpreter does."""

    def imports(*words: str) -> set[str]:
        ran = subprocess.run(
            [sys.executable, "-X", "importtime", *words], capture_output=True, text=True, timeout=60, check=True
        )
        return {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}

    return imports(*command) - imports("-c", "pass")


def ours(modules: set[str]) -> set[str]:
    return {name for name in modules if name.startswith(("ia_modules", "showcase_app"))}


MODULE = ("-m", "ia_modules.cli")


def test_the_package_alone_imports_nothing_else() -> None:
    assert imported_by("-c", "import ia_modules") == {"ia_modules", "ia_modules.version"}


def test_the_version_is_shown_without_what_commands_are_made_of() -> None:
    imported = imported_by(*MODULE, "--version")
    assert ours(imported) == {"ia_modules", "ia_modules.version", "ia_modules.cli"}
    assert not imported & {"typing", "typer"}


def test_the_list_of_commands_imports_none_of_them() -> None:
    imported = imported_by(*MODULE, "--help")
    assert ours(imported) == {"ia_modules", "ia_modules.version", "ia_modules.cli", "ia_modules.cli.app"}
    assert not imported & {"asyncio", "pydantic", "orjson", "rich", "sqlite3", "apsw", "asyncpg", "yaml"}


def test_the_script_and_the_module_are_the_same_command_line() -> None:
    script, module = [str(Path(sys.executable).with_name("ia-modules"))], [sys.executable, "-m", "ia_modules.cli"]
    for words in (["--version"], ["--help"], ["executions", "--help"], ["nonsense"]):
        done = [
            subprocess.run([*command, *words], capture_output=True, text=True, timeout=60, check=False)
            for command in (script, module)
        ]
        assert len({(each.returncode, each.stdout, each.stderr) for each in done}) == 1
        assert "ia-modules" in done[0].stdout + done[0].stderr


@pytest.mark.parametrize("is_enabled", [True, False])
def test_a_command_leaves_the_collector_as_it_was(monkeypatch: pytest.MonkeyPatch, *, is_enabled: bool) -> None:
    if not is_enabled:
        gc.disable()
    try:
        assert command_on("", monkeypatch)("executions", "list", "--help").exit_code == 0
        assert (gc.isenabled(), gc.get_freeze_count()) == (is_enabled, 0)
    finally:
        gc.enable()
