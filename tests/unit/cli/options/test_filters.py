import json
from dataclasses import fields
from pathlib import Path

import pytest

from ia_modules.cli.options.filters import FilterOptions
from tests.unit.cli.conftest import Command, Recorded, command_named
from tests.unit.cli.pipeline_files import nightly

VERBS = ["cancel", "delete", "rerun", "resume"]


@pytest.mark.parametrize("verb", ["list", *VERBS])
def test_every_command_that_finds_executions_takes_every_filter(verb: str) -> None:
    command, _ = command_named("executions", verb)
    options = {name: parameter.opts for parameter in command.params for name in [parameter.name]}
    for each in fields(FilterOptions):
        assert options[each.name] == [f"--{each.name.replace('_', '-')}"], each.name


@pytest.mark.parametrize(
    "words",
    [
        ["--status", "pending", "--status", "cancelled"],
        ["--attribute", "input.day=7"],
        ["--attribute", "input.day=7", "--status", "pending"],
        ["--of-version", "1"],
        ["--of-version", "2"],
        ["--trigger", "cli"],
        ["--trigger", "api"],
        ["--worker", "nobody"],
        ["--text", "night"],
        ["--pipeline", "nightly", "--before", "1h"],
    ],
    ids=" ".join,
)
def test_what_is_listed_by_filters_is_what_the_verbs_find_by_them(
    command: Command, tmp_path: Path, words: list[str]
) -> None:
    parameters = [{"name": "day", "schema": {"type": "integer"}, "required": True}]
    file = nightly(tmp_path, parameters=parameters, searchable=["input.day"])
    for day in (7, 7, 8):
        assert command("run", file, "--detach", "--input", json.dumps({"day": day})).exit_code == 0
    first = listed(command)[-1]
    command("executions", "cancel", first)
    expected = listed(command, *words)
    for verb in VERBS:
        found = command("executions", verb, *words, "--dry-run", "--json")
        assert found.exit_code == 0, found.stderr
        is_ended = verb != "cancel"
        suited = [each for each in expected if (each == first) == is_ended]
        assert json.loads(found.stdout)["matched"] == len(suited), verb


def test_a_verb_says_how_far_back_its_filters_looked_before_and_after_it_is_done(
    command: Command, tmp_path: Path
) -> None:
    for _ in range(3):
        command("run", nightly(tmp_path), "--detach")
    command("executions", "cancel", "--status", "pending", "--yes")
    words = ["executions", "delete", "--trigger", "cli", "--look-back", "2"]
    for more, outcome in (("--dry-run", "would be deleted"), ("--yes", "deleted")):
        assert command(*words, more).stdout.splitlines() == [
            f"2 executions {outcome}.",
            "The filters may find more: they looked at the newest 2 only. Further: --look-back 20",
        ]


def test_how_long_it_took_is_a_filter_of_verbs_too(command: Command, recorded: Recorded) -> None:
    assert command("executions", "delete", "--longer", "1h", "--dry-run").stdout == "0 executions would be deleted.\n"
    assert command("executions", "delete", "--shorter", "1h", "--dry-run").stdout == "2 executions would be deleted.\n"


@pytest.mark.parametrize("verb", ["list", *VERBS])
def test_an_attribute_without_a_value_is_refused_by_every_command(nowhere: Command, verb: str) -> None:
    wrong = nowhere("executions", verb, "--attribute", "acme")
    assert wrong.exit_code == 2
    assert "expected KEY=VALUE" in wrong.stderr


def test_a_rerun_tells_the_version_that_ran_from_the_one_that_is_to_run(command: Command, tmp_path: Path) -> None:
    command("run", nightly(tmp_path), "--detach")
    command("executions", "cancel", listed(command)[0])
    command("pipelines", "import", nightly(tmp_path, description="another"), "--new-version")
    done = command("executions", "rerun", "--of-version", "1", "--version", "2", "--yes")
    assert done.stdout.startswith("1 execution queued again.\n"), done.stderr
    shown = json.loads(command("executions", "show", "--json").stdout)
    assert (shown["pipeline_version"], shown["status"]) == (2, "pending")


def listed(command: Command, *words: str) -> list[str]:
    rows = json.loads(command("executions", "list", "--json", *words).stdout)["items"]
    return [row["execution_id"] for row in rows]
