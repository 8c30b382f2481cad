"""Schema migrations: plain SQL files, each applied once and recorded in the same transaction, under a lock."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from ia_modules import __version__
from ia_modules.database.driver import Dialect, Driver, Rows, Script, Statement
from ia_modules.database.queries import load_queries
from ia_modules.errors import SchemaError
from ia_modules.models import parse_time

MIGRATIONS_FOLDER = Path(__file__).parent / "migrations"

_FILE = re.compile(r"V(\d+)__(\w+)\.sql")
_REQUIRES = re.compile(r"^-- requires-program:[ \t]*(\d+(?:\.\d+)*)[ \t]*$", re.MULTILINE)

State = Literal["applied", "pending", "changed", "unknown", "too_new"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file.

    Attributes:
        checksum: SHA-256 of the file's text, whatever its line ends.
        requires_program: the lowest version of this program that may use the schema after it.
    """

    version: int
    name: str
    checksum: str
    requires_program: str
    sql: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationStatus:
    """One line of ``ia-modules db status``.

    ``state``: ``applied``; ``pending``, still to come; ``changed``, applied but the file is another one now;
    ``unknown``, applied by a program that has a file which this one does not have; ``too_new``, applied, and the schema
    needs a newer program since. :func:`refuse_unusable` tells which of them forbid to go on.

    Attributes:
        applied_at: None when pending.
        requires_program: the lowest version of this program that may use the schema after it.
    """

    version: int
    name: str
    applied_at: datetime | None
    state: State
    requires_program: str


async def migrate(driver: Driver, dialect: Dialect, *, folder: Path = MIGRATIONS_FOLDER) -> list[int]:
    """Bring the schema up to date; returns the versions that were applied, none when it was already current.

    A schema that is already current is only read: no lock, no permission to write. Otherwise everything that is missing
    is applied in one transaction, while other migrators wait.

    Raises:
        SchemaError: an applied file has changed, or the schema needs a newer program.
    """
    migrations = find_migrations(folder / dialect)
    queries = load_queries(dialect)
    if not _missing(migrations, await driver.read(_recorded(queries))):
        return []
    return await driver.run(_apply(migrations, queries))


def refuse_unusable(statuses: Sequence[MigrationStatus]) -> None:
    """Raise when this program must not work with the schema, and cannot bring it up to date either.

    What is pending is not refused: to apply it is what ``initialize()`` is for. Nor is what is unknown, if it allows
    this program.

    Args:
        statuses: all of them, as :func:`migration_status` returns them.

    Raises:
        SchemaError: a migration was applied that needs a newer program, or with another text; with what to do.
    """
    for status in statuses:
        if status.state == "too_new":
            raise SchemaError(
                f"The schema has migration V{status.version:03}__{status.name}, which needs ia_modules "
                f"{status.requires_program} or newer; this is {__version__}. Upgrade the program."
            )
    for status in statuses:
        if status.state == "changed":
            raise SchemaError(
                f"The migration V{status.version:03}__{status.name}.sql was applied to this database with another "
                f"text. Put the old text back and make a V{statuses[-1].version + 1:03}__….sql for the change; during "
                "development, start with a new database."
            )


async def migration_status(
    driver: Driver, dialect: Dialect, *, folder: Path = MIGRATIONS_FOLDER
) -> list[MigrationStatus]:
    """Where each migration stands, by version. Creates nothing, not even a missing SQLite file."""
    migrations = find_migrations(folder / dialect)
    return _statuses(migrations, await driver.read(_recorded(load_queries(dialect))) if driver.exists() else [])


def find_migrations(folder: Path) -> list[Migration]:
    """The migrations of one database, by version.

    Raises:
        SchemaError: a file's name or header is not as expected, or two have the same version.
    """
    found: dict[int, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        migration = _read(path)
        if other := found.get(migration.version):
            raise SchemaError(
                f"Two migrations have the version {migration.version}: {other.path} and {path}. Rename one."
            )
        found[migration.version] = migration
    return [found[version] for version in sorted(found)]


def _read(path: Path) -> Migration:
    named = _FILE.fullmatch(path.name)
    if named is None:
        raise SchemaError(f"The migration {path} is misnamed; expected a name such as V002__add_owner_heartbeat.sql.")
    sql = path.read_text(encoding="utf-8")  # universal newlines: the checksum does not depend on them
    requires = _REQUIRES.search(sql)
    if requires is None:
        raise SchemaError(
            f"The migration {path} does not say whom it is for; expected a line: -- requires-program: 0.1.0"
        )
    return Migration(
        version=int(named[1]),
        name=named[2],
        checksum=hashlib.sha256(sql.encode()).hexdigest(),
        requires_program=requires[1],
        sql=sql,
        path=path,
    )


def _recorded(queries: Mapping[str, str]) -> Script[Rows]:
    """The rows of ``ia_migrations``, none when there is no such table yet."""
    exists = yield Statement(queries["migrations_table_exists"])
    if not exists[0]["found"]:
        return []
    return (yield Statement(queries["applied_migrations"]))


def _apply(migrations: Sequence[Migration], queries: Mapping[str, str]) -> Script[list[int]]:
    yield Statement(queries["lock_migrations"])
    yield Statement(queries["create_migrations_table"])
    missing = _missing(migrations, (yield Statement(queries["applied_migrations"])))
    for migration in missing:
        yield Statement(migration.sql, whole_file=True)
        yield Statement(queries["record_migration"], (_row(migration),))
    return [migration.version for migration in missing]


def _row(migration: Migration) -> dict[str, Any]:
    return {
        "version": migration.version,
        "name": migration.name,
        "checksum": migration.checksum,
        "requires_program": migration.requires_program,
    }


def _missing(migrations: Sequence[Migration], recorded: Rows) -> list[Migration]:
    """What is still to be applied, after checking what was. Newer migrations that we do not know may be fine."""
    statuses = _statuses(migrations, recorded)
    refuse_unusable(statuses)
    pending = {status.version for status in statuses if status.state == "pending"}
    return [migration for migration in migrations if migration.version in pending]


def _statuses(migrations: Sequence[Migration], recorded: Rows) -> list[MigrationStatus]:
    known = {migration.version: migration for migration in migrations}
    applied = {int(row["version"]): row for row in recorded}
    return [
        _applied(row, known.get(version)) if (row := applied.get(version)) else _pending(known[version])
        for version in sorted({*known, *applied})
    ]


def _pending(migration: Migration) -> MigrationStatus:
    return MigrationStatus(
        version=migration.version,
        name=migration.name,
        applied_at=None,
        state="pending",
        requires_program=migration.requires_program,
    )


def _applied(row: Mapping[str, Any], migration: Migration | None) -> MigrationStatus:
    state: State = "applied"
    if _release(row["requires_program"]) > _release(__version__):
        state = "too_new"
    elif migration is None:
        state = "unknown"
    elif migration.checksum != row["checksum"]:
        state = "changed"
    return MigrationStatus(
        version=int(row["version"]),
        name=row["name"],
        applied_at=parse_time(row["applied_at"]),
        state=state,
        requires_program=row["requires_program"],
    )


def _release(version: str) -> tuple[int, ...]:
    """``0.2.0.dev1`` → (0, 2): only the numbers of the release count, without zeros at the end."""
    numbers = [int(number) for number in (re.match(r"\d+(?:\.\d+)*", version) or ["0"])[0].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
