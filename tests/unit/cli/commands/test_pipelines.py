import json
from getpass import getuser
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Command
from tests.unit.cli.pipeline_files import nightly, step, write
from tests.unit.pipeline.factories import document


def test_an_imported_pipeline_is_listed_and_runs(command: Command, tmp_path: Path) -> None:
    assert command("pipelines", "list").stdout.startswith("No pipelines.")
    imported = command("pipelines", "import", nightly(tmp_path))
    assert imported.exit_code == 0
    assert imported.stdout == "nightly is registered, version 1.\nRun it: ia-modules run nightly\n"
    [listed] = json.loads(command("pipelines", "list", "--json").stdout)
    assert (listed["slug"], listed["current_version"], listed["last_status"]) == ("nightly", 1, None)

    assert command("run", "nightly").exit_code == 0
    header, row = command("pipelines", "list").stdout.splitlines()
    assert header.split() == ["SLUG", "VERSION", "LAST", "RUN", "WHEN", "NAME"]
    assert row.split()[:3] == ["nightly", "1", "completed"]
    [listed] = json.loads(command("pipelines", "list", "--json").stdout)
    assert listed["last_execution_id"] == json.loads(command("executions", "show", "--json").stdout)["execution_id"]


def test_importing_again_changes_nothing_and_another_definition_must_be_said(command: Command, tmp_path: Path) -> None:
    file = nightly(tmp_path)
    for _ in range(2):
        assert json.loads(command("pipelines", "import", file, "--json").stdout)["version"] == 1
    changed = nightly(tmp_path, outputs={})
    refused = command("pipelines", "import", changed)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--new-version" in refused.stderr
    assert json.loads(command("pipelines", "import", changed, "--new-version", "--json").stdout)["version"] == 2
    assert [row["current_version"] for row in json.loads(command("pipelines", "list", "--json").stdout)] == [2]


def test_versions_say_where_they_came_from_and_what_is_stored_beside_the_current_one(
    command: Command, tmp_path: Path
) -> None:
    command("pipelines", "import", nightly(tmp_path), "--note", "first try")
    second = nightly(tmp_path, outputs={})
    command("pipelines", "import", second, "--new-version")
    assert command("pipelines", "make-current", "nightly", "1").stdout == "Version 1 of nightly is the current one.\n"
    kept = command("pipelines", "import", nightly(tmp_path, description="third"), "--new-version").stdout
    assert kept.startswith("nightly: version 1 stays the current one; it was chosen elsewhere. ")

    table, *lines = command("pipelines", "versions", "nightly").stdout.partition(f"{second} on ")
    header, *rows = [line.split() for line in table.splitlines()]
    assert header == ["VERSION", "STANDS", "FROM", "BY", "MADE", "NOTE"]
    assert [row[:3] for row in rows] == [
        ["3", "beside", "file"],
        ["2", "file", f"cli:{getuser()}"],
        ["1", "current", "file"],
    ]
    assert rows[2][-2:] == ["first", "try"]
    assert "holds version 3, which is not current: version 1 is." in "".join(lines)
    assert "ia-modules pipelines make-current nightly VERSION" in "".join(lines)
    listed = json.loads(command("pipelines", "versions", "nightly", "--json", "--limit", "2").stdout)
    assert [each["version"] for each in listed["versions"]] == [3, 2]
    assert (listed["current_version"], listed["origin"], listed["beside"][0]["version"]) == (1, "program", 3)
    for words in (["versions", "nobody"], ["make-current", "nightly", "9"]):
        assert command("pipelines", *words).exit_code == 2


def test_validate_says_that_files_are_right(command: Command, tmp_path: Path) -> None:
    file = nightly(tmp_path)
    result = command("pipelines", "validate", file, file)
    assert (result.exit_code, result.stdout) == (0, f"{file}: ok (nightly, 5 steps)\n" * 2)
    answer = json.loads(command("pipelines", "validate", file, "--json").stdout)
    assert answer["valid"] is True
    assert answer["files"][0]["steps"] == ["fetch", "score", "count", "apologize", "store"]


def test_rules_of_the_state_are_shown_where_a_pipeline_is(command: Command, tmp_path: Path) -> None:
    file = nightly(tmp_path, merge={"*": "error", "messages": "extend", "cost": "sum"})
    rules = "merge: messages extend, cost sum, every other key error"
    assert command("pipelines", "validate", file).stdout == f"{file}: ok (nightly, 5 steps; {rules})\n"
    assert command("pipelines", "graph", file).stdout.endswith(f"\n\n{rules}\n")


def test_what_steps_do_outside_is_shown_where_any_of_them_says_it(command: Command, tmp_path: Path) -> None:
    file = nightly(tmp_path)
    assert "may have effects" not in command("pipelines", "graph", file).stdout
    document = json.loads(Path(file).read_text())
    for each, effect in zip(document["steps"], ("read", "pure", "pure"), strict=False):
        each["effect"] = effect
    Path(file).write_text(json.dumps(document))
    ending = "\n\npure: score, count\nread: fetch\nnot said: may have effects: apologize, store\n"
    assert command("pipelines", "graph", file).stdout.endswith(ending)


def test_graph_draws_files_and_registered_pipelines_alike(command: Command, tmp_path: Path) -> None:
    file = nightly(tmp_path)
    command("pipelines", "import", file)
    for form, beginning in (
        ("text", "Nightly (nightly)\n\n● fetch"),
        ("mermaid", "flowchart TD\n"),
        ("dot", "digraph "),
    ):
        drawn = command("pipelines", "graph", file, "--format", form)
        assert drawn.exit_code == 0
        assert drawn.stdout.startswith(beginning)
        assert command("pipelines", "graph", "nightly", "--format", form).stdout == drawn.stdout
    assert command("pipelines", "graph", file).stdout == command("pipelines", "graph", file, "--format", "text").stdout
    assert command("pipelines", "graph", file, "--format", "png").exit_code == 2


def test_a_drawing_needs_no_code(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "bare.json"
    file.write_text(json.dumps(document("a", "b", paths=[("a", "b")])))
    assert command("pipelines", "graph", str(file)).stdout.splitlines()[2:] == ["● a", "● b"]


def test_stored_code_from_elsewhere_runs_only_when_it_is_allowed(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "far_steps.py").write_text("def far(data):\n    return {'far': True}\n")
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    file = write(tmp_path, step("far", "far", module="far_steps"))
    assert command("pipelines", "import", file).exit_code == 0
    refused = command("run", "nightly")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "'far_steps', which is not among the modules that may be used here" in refused.stderr
    assert "IA_MODULES_STEP_MODULES" in refused.stderr
    assert json.loads(command("executions", "list", "--json").stdout)["items"] == []
    monkeypatch.setenv("IA_MODULES_STEP_MODULES", "other.*, far_*")
    assert command("run", "nightly").exit_code == 0


def test_a_pipeline_whose_folder_is_gone_says_so(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    assert command("pipelines", "import", nightly(folder)).exit_code == 0
    (folder / "steps.py").unlink()
    refused = command("run", "nightly")
    assert refused.exit_code == 2
    assert str(folder) in refused.stderr
    assert "$.steps[0]" in refused.stderr


def test_a_program_that_only_records_itself_cannot_be_run_from_here(command: Command, recorded: object) -> None:
    del recorded
    refused = command("run", "nightly")
    assert refused.exit_code == 2
    assert "registered without a definition" in refused.stderr


def test_schema_without_a_pipeline_is_that_of_pipeline_files(nowhere: Command) -> None:
    schema = json.loads(nowhere("pipelines", "schema").stdout)
    assert schema["required"] == ["name", "steps", "flow"]
    assert "$schema" in schema["properties"]


def test_schema_is_the_json_schema_of_the_input_of_files_and_registered_pipelines(
    command: Command, tmp_path: Path
) -> None:
    day = {"name": "day", "schema": {"type": "integer"}, "required": True, "description": "Of the month."}
    file = nightly(tmp_path, parameters=[day])
    printed = command("pipelines", "schema", file)
    assert printed.exit_code == 0
    schema = json.loads(printed.stdout)
    assert (schema["type"], schema["required"], schema["properties"]["day"]["type"]) == ("object", ["day"], "integer")
    command("pipelines", "import", file)
    assert command("pipelines", "schema", "nightly").stdout == printed.stdout
    assert command("pipelines", "schema", "nobody").exit_code == 2


def test_an_archived_pipeline_starts_nothing_until_that_is_undone(command: Command, tmp_path: Path) -> None:
    file = nightly(tmp_path)
    command("pipelines", "import", file)
    assert command("pipelines", "archive", "nightly").stdout == "nightly is archived.\n"
    for words in (["nightly"], [file], ["nightly", "--detach"]):
        refused = command("run", *words)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert "ia-modules pipelines archive --undo nightly" in refused.stderr
    assert command("pipelines", "archive", "--undo", "nightly").stdout == "nightly is active again.\n"
    assert command("run", "nightly").exit_code == 0
    assert command("pipelines", "archive", "nobody").exit_code == 2


def test_delete_keeps_history_unless_that_is_asked_for(command: Command, tmp_path: Path) -> None:
    command("run", nightly(tmp_path))
    refused = command("pipelines", "delete", "nightly", "--yes")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "has 1 executions on record" in refused.stderr
    assert "--with-history" in refused.stderr
    counted = command("pipelines", "delete", "nightly", "--with-history", "--dry-run")
    assert (counted.exit_code, counted.stdout) == (0, "nightly would be deleted with 1 execution.\n")
    unasked = command("pipelines", "delete", "nightly", "--with-history")
    assert (unasked.exit_code, unasked.stdout) == (2, "")
    assert "add --yes" in unasked.stderr
    assert command("pipelines", "delete", "nightly", "--with-history", "--yes").exit_code == 0
    assert command("pipelines", "list").stdout.startswith("No pipelines.")
    assert command("executions", "list").stdout == "No executions.\n"


def test_delete_keeps_a_pipeline_that_has_something_to_do(command: Command, tmp_path: Path) -> None:
    command("run", nightly(tmp_path), "--detach")
    refused = command("pipelines", "delete", "nightly", "--with-history", "--yes")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "1 executions that have not ended" in refused.stderr
