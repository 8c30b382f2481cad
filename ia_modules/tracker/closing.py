"""What is open and nobody goes on with, as one script: whoever ends something runs it, nobody closes rows beside it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ia_modules.closing import Closing
from ia_modules.database.manager import Script, Statement
from ia_modules.models import ExecutionId
from ia_modules.paths import bounds


def closing_row(closing: Closing, execution_id: ExecutionId, sequence: int) -> dict[str, Any]:
    """What :func:`close` needs to know of a closing that stands under a sequence number."""
    low, high = bounds(closing.path)
    return {
        "execution_id": execution_id,
        "sequence": sequence,
        "status": closing.status.value,
        "error_type": closing.failure.type,
        "error_message": closing.failure.message,
        "has_ended": closing.has_ended,
        "spares_elsewhere": closing.spares_elsewhere,
        "path": low,
        "beyond": high,
        "attempt": closing.attempt,
        "upto": closing.upto(sequence),
    }


def close(query: Callable[[str], str], closings: Iterable[dict[str, Any]]) -> Script[None]:
    """Close the attempts and the questions, one closing after the other."""
    rows = list(closings)
    yield from _for_each(query("close_steps"), rows)
    yield from _for_each(query("close_interactions"), [row for row in rows if row["has_ended"]])


def _for_each(sql: str, rows: Sequence[dict[str, Any]]) -> Script[None]:
    if rows:
        yield Statement(sql, rows)
