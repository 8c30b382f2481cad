import json

import pytest

from tests.unit.cli.conftest import command_on


def test_migrate_creates_the_schema_once_and_status_tells(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = command_on(empty_database_url, monkeypatch)
    before = command("db", "status")
    assert before.exit_code == 0
    assert before.stdout.splitlines()[1].split() == ["V001", "pending", "-", "complete_schema"]
    assert "not current" in before.stdout

    first = command("db", "migrate")
    assert first.stdout.splitlines()[0] == "V001 complete_schema: applied"
    again = command("db", "migrate")
    assert (again.exit_code, len(again.stdout.splitlines())) == (0, 1)
    assert again.stdout.endswith("is current.\n")

    after = json.loads(command("db", "status", "--json").stdout)
    assert after["current"] is True
    assert {step["state"] for step in after["migrations"]} == {"applied"}
    assert command("db", "status").stdout.endswith("is current.\n")
