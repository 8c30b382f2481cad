"""What an attempt gives as it comes: pieces of text or JSON in channels, put together to lines of level ``output``.

Pieces of one channel that are written together are one line: its text joined, or its JSON as a list in ``data``; the
channel is the ``logger`` of the line. Between JSON and text the order is kept, whatever their channels. What comes is
kept up to a bound; then one line says that the rest is not.
"""

from io import StringIO

from ia_modules.models import GAP_LOGGER, JsonText, LogLevel, new_id
from ia_modules.payload import storable_text
from ia_modules.pipeline.kept_lines import LoggedLine

KEPT_BYTES, KEPT_LINES = 4 * 2**20, 50_000
"""Of the output of an attempt, so much is kept."""
LINE_CHARACTERS = 2**16
"""Of one line; a longer text is several."""
LEFT_OUT = (
    f"The output of an attempt is kept up to {KEPT_BYTES // 2**20} MiB, in {KEPT_LINES:,} lines at most. What comes "
    "after this is left out; the result of the step is not affected."
)


_COMMA = 1
"""What a value takes besides itself in the list of its line."""


class _OpenLine:
    """A line to which more may come."""

    __slots__ = ("at", "characters", "log_id", "text", "values")

    def __init__(self, at: float) -> None:
        self.at, self.log_id, self.characters = at, new_id(), 0
        self.text = StringIO()
        self.values: list[JsonText] = []

    def add(self, text: str, value: JsonText | None) -> None:
        self.characters += len(text) if value is None else len(value) + _COMMA
        if value is None:
            self.text.write(text)
        else:
            self.values.append(value)

    def logged(self, channel: str) -> LoggedLine:
        data = JsonText(f"[{','.join(self.values)}]") if self.values else None
        return LoggedLine(self.at, self.log_id, LogLevel.OUTPUT, self.text.getvalue(), data, channel)


class KeptOutput:
    """The output of one attempt that is to be written."""

    def __init__(self, *, kept_bytes: int = KEPT_BYTES, kept_lines: int = KEPT_LINES) -> None:
        """Nothing was given yet."""
        self._room, self._lines_left = kept_bytes, kept_lines
        self._lines: list[tuple[str, _OpenLine]] = []
        self._open: dict[str, _OpenLine] = {}  # by channel: all of them have text, or all have JSON
        self._has_json = False
        self.is_full = False
        self.characters = 0  # of what is to be written

    @property
    def has_lines(self) -> bool:
        """Whether something is to be written."""
        return bool(self._lines)

    def add_text(self, channel: str, text: str, at: float) -> None:
        """Take in a text; ``at``: when it came."""
        storable = storable_text(text)
        for first in range(0, len(storable), LINE_CHARACTERS):
            self._add_part(channel, storable[first : first + LINE_CHARACTERS], at)

    def add_json(self, channel: str, value: JsonText, at: float) -> None:
        """Take in a value, which is kept whole or not at all."""
        size, characters = len(value.encode()) + _COMMA, len(value) + _COMMA
        line = None if size > self._room else self._line(channel, characters, at, is_json=True)
        if line is None:
            self._end(at)
            return
        line.add("", value)
        self._room, self.characters = self._room - size, self.characters + characters

    def take(self, characters: int) -> list[LoggedLine]:
        """The lines to write now: the first, of so many characters together or of one line; nothing comes to them."""
        taken, size = 0, 0
        for _, line in self._lines:
            if taken and size + line.characters > characters:
                break
            taken, size = taken + 1, size + line.characters
        lines, self._lines = self._lines[:taken], self._lines[taken:]
        self._open.clear()
        self.characters -= size
        return [line.logged(channel) for channel, line in lines]

    def _add_part(self, channel: str, text: str, at: float) -> None:
        encoded = text.encode()
        kept = text if len(encoded) <= self._room else encoded[: self._room].decode(errors="ignore")
        line = self._line(channel, len(kept), at, is_json=False) if kept else None
        if line is not None:
            line.add(kept, None)
            self.characters += len(kept)
        self._room -= len(encoded)
        if line is None or self._room < 0:
            self._end(at)

    def _line(self, channel: str, characters: int, at: float, *, is_json: bool) -> _OpenLine | None:
        """The line that so many characters come to; None: there is no room for another one."""
        if self.is_full:
            return None
        if self._has_json is not is_json:
            self._open.clear()
            self._has_json = is_json
        line = self._open.get(channel)
        if line is not None and line.characters + characters <= LINE_CHARACTERS:
            return line
        if self._lines_left == 0:
            return None
        self._lines_left -= 1
        line = self._open[channel] = _OpenLine(at)
        self._lines.append((channel, line))
        return line

    def _end(self, at: float) -> None:
        """Nothing more is kept, which is said once."""
        if self.is_full:
            return
        self.is_full = True
        self._open.clear()
        line = _OpenLine(at)
        line.add(LEFT_OUT, None)
        self._lines.append((GAP_LOGGER, line))
        self.characters += line.characters
