"""What steps give as it comes, as readers get it: pure."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ia_modules.errors import InvalidArgument
from ia_modules.models import GAP_LOGGER, NO_ID, ExecutionId, RunPath, StepExecutionId, new_id
from ia_modules.pieces import OutputCursor, OutputRow, output_page

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def row(**keys: Any) -> OutputRow:
    of: dict[str, Any] = {
        "log_id": new_id(),
        "execution_id": ExecutionId("e"),
        "within": RunPath(""),
        "step_execution_id": StepExecutionId("a"),
        "step_id": "answer",
        "iteration": 1,
        "attempt": 1,
        "logger": "answer",
        "message": "",
        "data": None,
        "logged_at": NOW,
        "sequence": 3,
    }
    return OutputRow(**of | keys)


def test_a_line_is_text_or_values_or_says_that_the_rest_is_left_out() -> None:
    rows = [
        row(message="text"),
        row(data=[{"tool": "search"}, 1]),
        row(data={"by": "hand"}, logger=None),
        row(message="the rest is not kept", logger=GAP_LOGGER, data=[1]),
    ]
    page = output_page(rows, OutputCursor.of(None), limit=4, is_over=False, rests=False)
    assert [(each.channel, each.text, each.values, each.is_left_out) for each in page.items] == [
        ("answer", "text", (), False),
        ("answer", "", ({"tool": "search"}, 1), False),
        (None, "", ({"by": "hand"},), False),
        (None, "the rest is not kept", (), True),
    ]
    assert (page.more, page.cursor) == (False, f"3:{rows[-1].log_id}")
    shorter = output_page(rows, OutputCursor.of(None), limit=3, is_over=False, rests=False)
    assert (shorter.more, len(shorter.items), shorter.cursor) == (True, 3, f"3:{rows[2].log_id}")


def test_a_cursor_is_that_of_a_piece_or_a_sequence_of_which_all_was_read() -> None:
    id_ = new_id()
    assert OutputCursor.of(None) == OutputCursor.of("") == OutputCursor(0, NO_ID)
    assert OutputCursor.of(f"7:{id_}") == OutputCursor(7, id_)
    assert OutputCursor.of(7) == OutputCursor.of("7") == OutputCursor(8, NO_ID)
    assert str(OutputCursor(7, id_)) == f"7:{id_}"
    for wrong in ("x", "-1", "7:", f"7:{id_.upper()}", "1" * 19):
        with pytest.raises(InvalidArgument, match="the cursor of a piece"):
            OutputCursor.of(wrong)
