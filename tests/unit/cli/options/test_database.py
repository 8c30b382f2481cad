import json
from pathlib import Path

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.database.migrator import MIGRATIONS_FOLDER, find_migrations
from tests.unit.cli.conftest import command_on


def test_the_option_goes_before_the_environment_and_both_before_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = command_on("sqlite:///environment.db", monkeypatch)
    command("db", "migrate")
    command("db", "migrate", "--db", "sqlite:///option.db")
    command_on("", monkeypatch)("db", "migrate")
    monkeypatch.delenv("DATABASE_URL")
    assert "sqlite:///ia_modules.db is current." in command("db", "migrate").stdout
    assert sorted(path.name for path in tmp_path.glob("*.db")) == ["environment.db", "ia_modules.db", "option.db"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://me:hunter2@localhost/ia", "begins with mysql://"),
        ("postgresql://me:hunter2@127.0.0.1:1/ia", "127.0.0.1:1"),
        ("sqlite:////nowhere/at/all/ia.db", "/nowhere/at/all"),
    ],
)
def test_a_database_that_cannot_be_reached_is_one_line_without_the_password(
    url: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = command_on(url, monkeypatch)("db", "migrate")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert "hunter2" not in result.stderr


@pytest.mark.parametrize("arguments", [("db", "status"), ("db", "status", "--json"), ("executions", "list")])
def test_a_schema_that_needs_a_newer_program_is_refused_by_whoever_looks(
    database_url: str, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    with DatabaseManager(database_url) as database:
        database.execute(
            "INSERT INTO ia_migrations (version, name, checksum, requires_program, applied_at) "
            "VALUES (99, 'from_the_future', 'x', '9.9.9', ia_now())"
        )
    result = command_on(database_url, monkeypatch)(*arguments)
    assert result.exit_code == 1
    assert "V099__from_the_future, which needs ia_modules 9.9.9 or newer" in result.stderr


def test_looking_creates_nothing(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    command = command_on(empty_database_url, monkeypatch)
    for arguments in (["list"], ["show"], ["list", "--json"]):
        result = command("executions", *arguments)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "no schema yet" in result.stderr
        assert "ia-modules db migrate" in result.stderr
    states = [each["state"] for each in json.loads(command("db", "status", "--json").stdout)["migrations"]]
    assert states == ["pending"] * len(find_migrations(MIGRATIONS_FOLDER / "sqlite"))
