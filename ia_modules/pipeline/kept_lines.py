"""Which lines of an attempt are kept, of however many: the first and the last, and warnings and errors beside these.

The first ones are written soon. The last ones, such as those before a crash, are known when the attempt has ended and
are written with that; a process that is killed takes them along. Where lines are left out, a line in their place says
how many, in words and as ``left_out`` in its data.
"""

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from ia_modules.models import GAP_LOGGER, JsonText, LogLevel, new_id


class LineBound(NamedTuple):
    """So many lines are kept of the first, and so many of the last; of neither more than so many characters."""

    lines: int
    characters: int


ORDINARY, URGENT = LineBound(5_000, 2**19), LineBound(1_000, 2**18)
"""Of debug and info; of warnings and errors."""
_LINES, _URGENT = "lines", "warnings and errors"
_ONE = {_LINES: "line", _URGENT: "warning or error"}
_WORST = {_LINES: LogLevel.INFO, _URGENT: LogLevel.ERROR}
"""The level of a gap: the most severe that may be in it, so that it is seen with whatever it may have hidden."""
KEEPER = "ia_modules"
"""The logger of what is noted here and is no gap."""


class LoggedLine(NamedTuple):
    """A line. ``at``: when it was logged, by the clock of whoever keeps it; ``data``: encoded; ``logger``: its name."""

    at: float
    log_id: str
    level: LogLevel
    text: str
    data: JsonText | None
    logger: str | None = None

    @property
    def characters(self) -> int:
        return len(self.text) + len(self.data or "")


class _Ends:
    """The first lines of a kind, as a count, and the last ones; ``left_out`` of those in between, from ``gap`` on."""

    def __init__(self, bound: LineBound) -> None:
        self.bound = bound
        self.last: deque[LoggedLine] = deque()
        self.is_full = False
        self.left_out = 0
        self.gap: LoggedLine | None = None
        self._first = self._first_characters = self._last_characters = 0

    def takes_first(self, line: LoggedLine) -> bool:
        """Count a line as one of the first; False: there are enough of these, from here on."""
        self._first, self._first_characters = self._first + 1, self._first_characters + line.characters
        self.is_full = self.is_full or self._first > self.bound.lines
        self.is_full = self.is_full or (self._first > 1 and self._first_characters > self.bound.characters)
        return not self.is_full

    def add_last(self, line: LoggedLine) -> None:
        """Keep a line as the last one, at the cost of the ones before."""
        self.last.append(line)
        self._last_characters += line.characters
        while len(self.last) > self.bound.lines or (
            len(self.last) > 1 and self._last_characters > self.bound.characters
        ):
            gone = self.last.popleft()
            self._last_characters -= gone.characters
            self.left_out += 1
            self.gap = self.gap or gone


class KeptLines:
    """The lines of one attempt."""

    def __init__(self, ordinary: LineBound = ORDINARY, urgent: LineBound = URGENT) -> None:
        """Keep the ends of both kinds."""
        self._ends: Mapping[str, _Ends] = {_LINES: _Ends(ordinary), _URGENT: _Ends(urgent)}

    def add(self, line: LoggedLine) -> list[LoggedLine]:
        """Take in a line; returns those that are to be written now."""
        kind = _LINES if line.level in (LogLevel.DEBUG, LogLevel.INFO) else _URGENT
        ends = self._ends[kind]
        was_full = ends.is_full
        if not was_full and ends.takes_first(line):
            return [line]
        if was_full:
            ends.add_last(line)
            return []
        ends.add_last(line._replace(log_id=new_id()))  # the note comes before it
        kept = f"Of what follows, the last {ends.bound.lines:,} {kind} are kept, and written when the attempt ends."
        return [line._replace(level=LogLevel.INFO, text=kept, data=None, logger=KEEPER)]

    def rest(self) -> list[LoggedLine]:
        """What is to be written when the attempt has ended: the last lines, each gap before them said in its place."""
        lines: list[LoggedLine] = []
        for kind, ends in self._ends.items():
            if ends.gap is not None:
                what = f"{ends.left_out:,} {kind} are" if ends.left_out > 1 else f"1 {_ONE[kind]} is"
                text = f"{what} left out here: an attempt keeps the first and the last."
                data = JsonText(f'{{"left_out":{ends.left_out}}}')
                gap = ends.gap._replace(level=_WORST[kind], text=text, data=data, logger=GAP_LOGGER)
                lines.append(gap)
            lines += ends.last
        return sorted(lines, key=lambda line: line.log_id)
