"""Text that no parameter may have, found after a database has refused it, or before one took it."""

import re
from collections.abc import Iterable

from ia_modules.database.driver import Params, shortened
from ia_modules.database.named_params import to_positional
from ia_modules.errors import InvalidQuery

_IMPOSSIBLE = re.compile(r"[\0\ud800-\udfff]")


def impossible_text(sql: str, rows: Iterable[Params]) -> InvalidQuery | None:
    """The error for a parameter that the SQL names and whose text cannot be stored everywhere; None when all can.

    What cannot is U+0000, which SQLite would take and PostgreSQL would not, and half a surrogate pair, which UTF-8 does
    not have.
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
    """Whether any text has a NUL character, in a parameter or in what is given besides; a fast look for every write."""
    return any("\0" in value for row in rows for value in row.values() if isinstance(value, str))
