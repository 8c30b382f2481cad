"""What a notebook shows of a record: a small table, in the colours of the page around it."""

from collections.abc import Mapping
from html import escape

TEXT_CHARACTERS = 2_000
"""Of longer texts the beginning is shown."""

_COLOURS = {
    "completed": "#2e7d32",
    "failed": "#c62828",
    "lost": "#c62828",
    "cancelled": "#757575",
    "running": "#1565c0",
}
_OTHER_COLOUR = "#8d6e00"
_CELL = "text-align:left;vertical-align:top;padding:2px 12px 2px 0"


def card(title: str, status: str, rows: Mapping[str, str | None]) -> str:
    """HTML of a title, a status and what else is known; rows without a text are left out."""
    colour = _COLOURS.get(status, _OTHER_COLOUR)
    head = f'<b>{escape(title)}</b> <span style="color:{colour}">● {escape(status)}</span>'
    body = "".join(
        f'<tr><th style="{_CELL}">{escape(name)}</th>'
        f'<td style="{_CELL};white-space:pre-wrap">{escape(_cut(text))}</td></tr>'
        for name, text in rows.items()
        if text is not None
    )
    return f"<div>{head}<table>{body}</table></div>"


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_CHARACTERS else f"{text[:TEXT_CHARACTERS]}…"
