"""Text that cannot be stored on both databases."""

import re
from collections.abc import Iterable

from ia_modules.database.driver import Params, shortened
from ia_modules.database.named_params import to_positional
from ia_modules.errors import InvalidQuery

_IMPOSSIBLE = re.compile(r"[\0\ud800-\udfff]")


def impossible_text(sql: str, rows: Iterable[Params]) -> InvalidQuery | None:
    """The error for the first parameter named by the SQL whose text cannot be stored; None when all can.

    U+0000 is accepted by SQLite and refused by PostgreSQL; half a surrogate pair does not exist in UTF-8.
    """
    names = to_positional(sql).names
    for row in rows:
        for name in names:
            value = row.get(name)
            if isinstance(value, str) and (found := _IMPOSSIBLE.search(value)):
                what = "a NUL character" if found[0] == "\0" else "a lone surrogate"
                return InvalidQuery(
                    f"The parameter :{name} cannot be stored: found {what} (U+{ord(found[0]):04X}) at position "
                    f"{found.start()} of {len(value)}; expected text without. The SQL: {shortened(sql)}"
                )
    return None


def has_nul(rows: Iterable[Params]) -> bool:
    """Whether any value, named by the SQL or not, has a NUL character; fast enough for every write."""
    return any("\0" in value for row in rows for value in row.values() if isinstance(value, str))
