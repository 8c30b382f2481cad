"""Times on the command line: ISO 8601, or how long from now, such as ``30min``, ``12h`` or ``7d``."""

import re
from datetime import UTC, datetime, timedelta

import typer

_DURATION = re.compile(r"(\d{1,6})\s*(s|min|h|d)")
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}


def past(text: str) -> datetime:
    """A time, without an offset this machine's, or how long ago. Raises BadParameter."""
    distance = _distance(text)
    if distance is None:
        return _time(text, is_local=True)
    try:
        return datetime.now(UTC) - distance
    except OverflowError:
        raise typer.BadParameter(f"found {text!r}, which is before the year 1; expected a later time.") from None


def future(text: str) -> datetime | timedelta:
    """A time with its offset, or how long from now, which is for whoever has the clock. Raises BadParameter."""
    distance = _distance(text)
    return _time(text, is_local=False) if distance is None else distance


def length(text: str) -> timedelta:
    """How long something takes. Raises BadParameter."""
    distance = _distance(text)
    if distance is None:
        raise typer.BadParameter(f"found {text!r}; expected how long, such as 90s, 5min, 2h or 1d.")
    return distance


def _distance(text: str) -> timedelta | None:
    matched = _DURATION.fullmatch(text)
    return None if matched is None else timedelta(**{_UNITS[matched[2]]: int(matched[1])})


def _time(text: str, *, is_local: bool) -> datetime:
    """In UTC. ``is_local``: without an offset it is this machine's; otherwise that is refused."""
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None and not is_local:
            expected = "its offset too, such as 2026-12-01T02:00+01:00 or 2026-12-01T01:00Z"
            raise typer.BadParameter(f"found {text!r}, which is another time in each zone; expected {expected}.")
        return time.astimezone(UTC)
    except (ValueError, OverflowError):
        written = "2026-11-28T09:30 (this machine's zone)" if is_local else "2026-11-28T09:30+01:00"
        expected = f"such as {written}, 2026-11-28T09:30Z, 30min, 12h or 7d"
        raise typer.BadParameter(f"found {text!r}; expected a time, {expected}.") from None
