"""Times on the command line: ISO 8601, or how long from now, such as ``30min``, ``12h`` or ``7d``."""

import re
from datetime import UTC, datetime, timedelta

import typer

_DURATION = re.compile(r"(\d{1,6})\s*(s|min|h|d)")
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}


def past(text: str) -> datetime:
    """A time, or how long ago. Raises BadParameter."""
    return _time(text, -1)


def future(text: str) -> datetime:
    """A time, or how long from now. Raises BadParameter."""
    return _time(text, 1)


def _time(text: str, direction: int) -> datetime:
    if matched := _DURATION.fullmatch(text):
        return datetime.now(UTC) + direction * timedelta(**{_UNITS[matched[2]]: int(matched[1])})
    try:
        return datetime.fromisoformat(text).astimezone(UTC)  # without a zone: this machine's
    except (ValueError, OverflowError):
        expected = "such as 2026-11-28T09:30 (this machine's zone), 2026-11-28T09:30Z, 30min, 12h or 7d"
        raise typer.BadParameter(f"found {text!r}; expected a time, {expected}.") from None
