"""The named SQL of this project, read from files."""

import difflib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from ia_modules.database.driver import Dialect
from ia_modules.errors import InvalidQuery

SQL_FOLDER = Path(__file__).parent / "sql"

_NAME = re.compile(r"^-- name:[ \t]*(\S*)[ \t]*$", re.MULTILINE)


class Queries(dict[str, str]):
    """SQL by name; an unknown name raises InvalidQuery with similar names."""

    def __missing__(self, name: str) -> str:
        close = difflib.get_close_matches(name, self) or sorted(self)
        raise InvalidQuery(
            f"No SQL is named {name!r}; expected one of the files' names, such as: {', '.join(close[:5])}."
        )


@cache
def load_queries(dialect: Dialect) -> Mapping[str, str]:
    """Every named SQL for a database: ``sql/*.sql``, overridden by ``sql/<dialect>/*.sql``.

    Raises:
        InvalidQuery: a file is malformed, or two files of one folder use the same name.
    """
    return MappingProxyType(read_queries(SQL_FOLDER, dialect))


def read_queries(folder: Path, dialect: Dialect) -> Queries:
    """As :func:`load_queries`, for any folder."""
    return Queries({**_read_folder(folder), **_read_folder(folder / dialect)})


def _read_folder(folder: Path) -> dict[str, str]:
    queries: dict[str, str] = {}
    homes: dict[str, Path] = {}
    for path in sorted(folder.glob("*.sql")):
        for name, sql in parse_queries(path.read_text(encoding="utf-8"), str(path)):
            if name in queries:
                raise InvalidQuery(f"The SQL name {name!r} is used in {homes[name]} and again in {path}; rename one.")
            queries[name], homes[name] = sql, path
    return queries


def parse_queries(text: str, source: str) -> list[tuple[str, str]]:
    """Names and sentences, in order, without the comments after a name.

    Args:
        source: the file's name, for messages.

    Raises:
        InvalidQuery: SQL before the first name, a malformed name, or a name without SQL.
    """
    before, *parts = _NAME.split(text)
    if _without_leading_comments(before):
        raise InvalidQuery(
            f"{source} has SQL before its first name; expected a line such as: -- name: finish_execution."
        )
    queries: list[tuple[str, str]] = []
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        sql = _without_leading_comments(body)
        if not name.isidentifier():
            raise InvalidQuery(f"{source} has the SQL name {name!r}; expected letters, digits and underscores.")
        if not sql:
            raise InvalidQuery(
                f"{source} has no SQL under the name {name!r}; expected one sentence after its comments."
            )
        queries.append((name, sql))
    return queries


def _without_leading_comments(text: str) -> str:
    lines = text.splitlines()
    while lines and (not lines[0].strip() or lines[0].lstrip().startswith("--")):
        del lines[0]
    return "\n".join(lines).strip()
