"""The states that databases were made in: a file of each and for each dialect, with rows in every table.

``opened``: every later program opens them. ``refused``: of before, when the first migration was another one.

When a migration is added, ``python -m tests.migration.states NAME`` keeps the state that it makes.
"""

import sys
from pathlib import Path

from ia_modules.database.driver import Dialect, Script, Statement
from ia_modules.database.manager import DatabaseManager
from ia_modules.database.migrator import MIGRATIONS_FOLDER, Migration, find_migrations
from ia_modules.database.queries import load_queries

STATES = Path(__file__).parents[1] / "fixtures" / "databases"
DIALECTS: tuple[Dialect, ...] = ("sqlite", "postgresql")
_ROWS = Path(__file__).with_name("rows.sql")
_RECORD = """
INSERT INTO ia_migrations (version, name, checksum, requires_program, applied_at) VALUES
    ({0.version}, '{0.name}', '{0.checksum}', '{0.requires_program}', '2026-11-28T12:00:00.000000Z');

"""


def names(kind: str) -> list[str]:
    """The states of a kind, oldest first."""
    return sorted(folder.name for folder in (STATES / kind).iterdir())


async def restore(database: DatabaseManager, kind: str, name: str) -> None:
    """Fill a database that has no schema with a state."""
    text = (STATES / kind / name / f"{database.dialect}.sql").read_text("utf-8")

    def fill() -> Script[None]:
        yield Statement(text, whole_file=True)

    await database.run(fill())


def keep(folder: Path) -> None:
    """Keep the present state, with the rows of ``rows.sql``."""
    folder.mkdir(parents=True, exist_ok=True)
    for dialect in DIALECTS:
        migrations = find_migrations(MIGRATIONS_FOLDER / dialect)
        (folder / f"{dialect}.sql").write_text(_text(dialect, migrations), "utf-8")


def _text(dialect: Dialect, migrations: list[Migration]) -> str:
    applied = [migration.sql + _RECORD.format(migration) for migration in migrations]
    return "".join([load_queries(dialect)["create_migrations_table"], ";\n\n", *applied, _ROWS.read_text("utf-8")])


if __name__ == "__main__":
    keep(STATES / "opened" / f"{len(names('opened')) + 1:03}_{sys.argv[1]}")
