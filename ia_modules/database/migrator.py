"""Schema migrations: SQL files, each applied once and recorded in the same transaction, under a lock."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from ia_modules.database.driver import Dialect, Driver, Rows, Script, Statement
from ia_modules.database.queries import load_queries
from ia_modules.errors import SchemaError
from ia_modules.models import parse_time
from ia_modules.version import __version__

MIGRATIONS_FOLDER = Path(__file__).parent / "migrations"

_FILE = re.compile(r"V(\d+)__(\w+)\.sql")
_TABLE = re.compile(r"^CREATE TABLE (\w+)", re.MULTILINE)
_REQUIRES = re.compile(r"^-- requires-program:[ \t]*(\d+(?:\.\d+)*)[ \t]*$", re.MULTILINE)

State = Literal["applied", "pending", "changed", "unknown", "too_new"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file.

    Attributes:
        checksum: SHA-256 of the file's text, the same for every kind of line end.
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
    """One line of ``ia-modules db status``. :func:`refuse_unusable` says which states are errors.

    Attributes:
        state: ``applied``; ``pending``, not applied yet; ``changed``, applied, but the file has another text now;
            ``unknown``, applied by a program that has more files than this one; ``too_new``, applied, and the schema
            needs a newer program.
        applied_at: None when pending.
        requires_program: the lowest version of this program that may use the schema after it.
    """

    version: int
    name: str
    applied_at: datetime | None
    state: State
    requires_program: str


async def migrate(driver: Driver, dialect: Dialect, safe_url: str, *, folder: Path = MIGRATIONS_FOLDER) -> list[int]:
    """Apply pending migrations; returns their versions, none when the schema is current.

    A current schema is only read: that needs no lock and no permission to write. Pending migrations are applied in one
    transaction, while other migrators wait.

    Args:
        safe_url: what errors call the database.

    Raises:
        SchemaError: an applied file has changed, the schema needs a newer program, or somebody else's tables have the
            names of these; the database is as it was.
    """
    migrations = find_migrations(folder / dialect)
    queries = load_queries(dialect)
    if not _missing(safe_url, migrations, await driver.read(_recorded_or_foreign(safe_url, migrations, queries))):
        return []
    return await driver.run(_apply(safe_url, migrations, queries))


def refuse_unusable(safe_url: str, statuses: Sequence[MigrationStatus]) -> None:
    """Raise when this program must not work with the schema, and cannot migrate it either.

    ``pending`` is not refused, as ``initialize()`` applies it; nor is ``unknown``, which allows this program.

    Args:
        safe_url: what errors call the database.
        statuses: all of them, as :func:`migration_status` returns them.

    Raises:
        SchemaError: an applied migration needs a newer program, or its text has changed.
    """
    for status in statuses:
        if status.state == "too_new":
            raise SchemaError(
                f"{safe_url} has the migration V{status.version:03}__{status.name}, which needs ia_modules "
                f"{status.requires_program} or newer; this is {__version__}. Upgrade the program."
            )
    for status in statuses:
        if status.state == "changed":
            raise SchemaError(
                f"{safe_url} was made by another state of ia_modules, and is left as it is: its migration "
                f"V{status.version:03}__{status.name} has another text than this program's. The program that made it "
                "still opens it. Go on with that one, or export with it what you want to keep (ia-modules executions "
                "export ID > FILE), and give this one a new database, such as --db sqlite:///new.db. Who changed the "
                f"schema: put the old text back, and make a V{statuses[-1].version + 1:03}__….sql."
            )


async def migration_status(
    driver: Driver, dialect: Dialect, *, folder: Path = MIGRATIONS_FOLDER
) -> list[MigrationStatus]:
    """Where each migration stands, by version. Creates nothing, not even a missing SQLite file."""
    migrations = find_migrations(folder / dialect)
    return _statuses(migrations, await driver.read(_recorded(load_queries(dialect))) if driver.exists() else [])


def migration_script(dialect: Dialect, safe_url: str, *, folder: Path = MIGRATIONS_FOLDER) -> Script[list[int]]:
    """What :func:`migrate` runs in its transaction; for a connection of one's own."""
    return _apply(safe_url, find_migrations(folder / dialect), load_queries(dialect))


def applied_here(
    dialect: Dialect, safe_url: str, recorded: Rows, *, folder: Path = MIGRATIONS_FOLDER
) -> list[Migration]:
    """The migrations that a schema has by the rows of ``ia_migrations``: this program's, from its first one on.

    Args:
        safe_url: what errors call the database.

    Raises:
        SchemaError: one needs a newer program, is not known here, has another text here, or one before it is missing.
    """
    migrations = find_migrations(folder / dialect)
    statuses = _statuses(migrations, recorded)
    for status in statuses:
        if status.state == "changed":
            raise SchemaError(
                f"{safe_url} was made by another state of ia_modules: its migration "
                f"V{status.version:03}__{status.name} has another text than this program's. The program that made it "
                "still opens it."
            )
    refuse_unusable(safe_url, statuses)
    for status in statuses:
        if status.state == "unknown":
            raise SchemaError(
                f"{safe_url} has the migration V{status.version:03}__{status.name}, which this ia_modules "
                f"({__version__}) does not have. A newer one made it: upgrade the program."
            )
    states = [status.state for status in statuses]
    applied = states.count("applied")
    if not applied or states[:applied] != ["applied"] * applied:
        raise SchemaError(f"{safe_url} has no schema of ia_modules, or only a part of one.")
    return migrations[:applied]


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
    sql = path.read_text(encoding="utf-8")  # universal newlines, for the checksum
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
    """The rows of ``ia_migrations``; none before the first migration."""
    exists = yield Statement(queries["migrations_table_exists"])
    if not exists[0]["found"]:
        return []
    return (yield Statement(queries["applied_migrations"]))


def _recorded_or_foreign(safe_url: str, migrations: Sequence[Migration], queries: Mapping[str, str]) -> Script[Rows]:
    """The same; tables of the migrations' names are refused where no migration was ever applied."""
    recorded = yield from _recorded(queries)
    names = [] if recorded else [name for migration in migrations for name in _TABLE.findall(migration.sql)]
    if foreign := (yield Statement(queries["existing_table"], [{"name": name} for name in names])):
        raise SchemaError(
            f"{safe_url} is left as it is: it has the table {foreign[0]['name']!r}, and ia_modules, which needs one of "
            "this name, has not made it. Give ia_modules a database of its own, such as --db sqlite:///new.db."
        )
    return recorded


def _apply(safe_url: str, migrations: Sequence[Migration], queries: Mapping[str, str]) -> Script[list[int]]:
    yield Statement(queries["lock_migrations"])
    yield Statement(queries["create_migrations_table"])
    missing = _missing(safe_url, migrations, (yield Statement(queries["applied_migrations"])))
    for migration in missing:
        yield Statement(migration.sql, whole_file=True)
        yield Statement(queries["record_migration"], (asdict(migration),))
    return [migration.version for migration in missing]


def _missing(safe_url: str, migrations: Sequence[Migration], recorded: Rows) -> list[Migration]:
    """The pending migrations. Raises SchemaError as :func:`refuse_unusable` does."""
    statuses = _statuses(migrations, recorded)
    refuse_unusable(safe_url, statuses)
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
    """``0.2.0.dev1`` → (0, 2): the numbers of the release, without trailing zeros."""
    numbers = [int(number) for number in (re.match(r"\d+(?:\.\d+)*", version) or ["0"])[0].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
