"""Where a run stands among the runs that it is a part of: an address, built from the graph down.

A path is compared by what it begins with. Only :func:`last_of` takes one apart, to find the run that another is within.
"""

import re
from functools import lru_cache

from ia_modules.errors import InvalidArgument, NestingTooDeep
from ia_modules.models import RunPath

GRAPH = RunPath("")
"""What the steps of the graph itself are within."""

LIMIT_CHARACTERS = 500
"""The longest path. Both databases have it in indexes, hence at most three bytes for each character."""

_BEYOND = chr(0x10FFFF)  # escaped, too, and so behind every path
_ESCAPES = {"%": "%25", "/": "%2F", "#": "%23", _BEYOND: "%10FFFF"}
_ESCAPED = str.maketrans(_ESCAPES)
_UNESCAPED = {escape: character for character, escape in _ESCAPES.items()}
_ESCAPE = re.compile("|".join(_UNESCAPED))


def run_path(within: RunPath, step_id: str, iteration: int) -> RunPath:
    """The address of a run: what it is within, and ``step#iteration``; what stands within it has this as ``within``.

    Raises:
        NestingTooDeep: nothing can be within this run.
    """
    return not_too_deep(path_of(within, step_id, iteration))


def not_too_deep(path: RunPath) -> RunPath:
    """The path itself. Raises NestingTooDeep: nothing can be within that run."""
    if max(len(path), len(path.encode()) // 3) > LIMIT_CHARACTERS:
        raise NestingTooDeep(path, LIMIT_CHARACTERS)
    return path


@lru_cache(maxsize=1_000)
def path_of(within: RunPath, step_id: str, iteration: int) -> RunPath:
    """As :func:`run_path`, of any length: for looking up what is within a run."""
    segment = f"{step_id.translate(_ESCAPED)}#{iteration}"
    return RunPath(f"{within}/{segment}" if within else segment)


def named(text: str) -> RunPath:
    """The address that somebody from outside names: of a run, or of none that there is.

    Raises:
        InvalidArgument: no run can have it.
    """
    if len(text) > LIMIT_CHARACTERS:
        raise InvalidArgument("path of a run", f"{len(text):,} characters", f"at most {LIMIT_CHARACTERS}")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidArgument("path of a run", ascii(text[:80]), "text without NUL and lone surrogates")
    return RunPath(text)


def last_of(path: RunPath) -> tuple[RunPath, str, int]:
    """What a run is within, its step and its iteration: what :func:`run_path` made its path of."""
    within, _, segment = path.rpartition("/")
    step_id, _, iteration = segment.rpartition("#")
    return RunPath(within), _ESCAPE.sub(lambda escape: _UNESCAPED[escape[0]], step_id), int(iteration)


def bounds(path: RunPath) -> tuple[str, str]:
    """What is within a run, at every depth, has a ``within`` from the first up to, without, the second.

    Behind a path comes a ``/`` or the next digit of another number, and ``0`` comes right after ``/``. By code points,
    as Python compares, or by bytes of UTF-8, as the databases do: that is one order.
    """
    return (path, f"{path}0") if path else ("", _BEYOND)


def is_inside(within: RunPath, path: RunPath) -> bool:
    """Whether what has this ``within`` stands within a run, at any depth; everything does within the graph."""
    low, high = bounds(path)
    return low <= within < high
