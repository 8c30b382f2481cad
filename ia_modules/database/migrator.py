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

State = Literal["applied", "pending", "changed", "unknown"]


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
    ``unknown``, applied by a program that has a file which this one does not have. ``applied_at`` is None when pending.
    """

    version: int
    name: str
    applied_at: datetime | None
    state: State


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


async def migration_status(
    driver: Driver, dialect: Dialect, *, folder: Path = MIGRATIONS_FOLDER
) -> list[MigrationStatus]:
    """Where each migration stands, by version. Creates nothing, not even a missing SQLite file."""
    migrations = {migration.version: migration for migration in find_migrations(folder / dialect)}
    rows = await driver.read(_recorded(load_queries(dialect))) if driver.exists() else []
    recorded = {int(row["version"]): row for row in rows}
    return [_status(migrations.get(version), recorded.get(version)) for version in sorted({*migrations, *recorded})]


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
    for row in recorded:
        if _release(row["requires_program"]) > _release(__version__):
            raise SchemaError(
                f"The schema has migration V{row['version']:03}__{row['name']}, which needs ia_modules "
                f"{row['requires_program']} or newer; this is {__version__}. Upgrade the program."
            )
    checksums = {int(row["version"]): row["checksum"] for row in recorded}
    for migration in migrations:
        if checksums.get(migration.version, migration.checksum) != migration.checksum:
            raise SchemaError(
                f"The migration {migration.path} was applied to this database with another text. Put the old text back "
                f"and make a V{migrations[-1].version + 1:03}__….sql for the change; during development, start with a "
                "new database."
            )
    return [migration for migration in migrations if migration.version not in checksums]


def _status(migration: Migration | None, row: Mapping[str, Any] | None) -> MigrationStatus:
    if row is None:
        assert migration is not None  # one of the two is always there
        return MigrationStatus(version=migration.version, name=migration.name, applied_at=None, state="pending")
    state: State = "applied"
    if migration is None:
        state = "unknown"
    elif migration.checksum != row["checksum"]:
        state = "changed"
    return MigrationStatus(
        version=int(row["version"]), name=row["name"], applied_at=parse_time(row["applied_at"]), state=state
    )


def _release(version: str) -> tuple[int, ...]:
    """``0.2.0.dev1`` → (0, 2): only the numbers of the release count, without zeros at the end."""
    numbers = [int(number) for number in (re.match(r"\d+(?:\.\d+)*", version) or ["0"])[0].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
