"""The file behind a SQLite path: whether it is still the one that was opened."""

import os

from ia_modules.database.url import MEMORY
from ia_modules.errors import DatabaseUnavailable

Identity = tuple[int, int]


class DatabaseFile:
    """What a path led to at the first opening, for all connections of one manager; from any thread.

    A file that is deleted or replaced stays open: without a look at the path, commits would go on into a file that
    nobody can find, while a new connection would begin with an empty one. The look is a ``stat``, about 2 µs.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._opened: Identity | None = None

    @property
    def may_be_created(self) -> bool:
        """Whether nothing was opened there yet, so that a missing file is a new one."""
        return self._opened is None

    def remember(self) -> None:
        """What the path leads to has been opened. Only the first time counts."""
        if self._opened is None and self.path != MEMORY:
            self._opened = self._found()

    def check(self) -> None:
        """Raise DatabaseUnavailable when the path leads elsewhere than at the first opening."""
        if self._opened is None or (found := self._found()) == self._opened:
            return
        raise DatabaseUnavailable(
            f"The SQLite file {self.path} was {'moved or deleted' if found is None else 'replaced'} while it was open "
            "here; nothing is read from it or written to it any more. Put it back, or make a new DatabaseManager."
        )

    def _found(self) -> Identity | None:
        try:
            found = os.stat(self.path)  # noqa: PTH116 - half the time of Path.stat, for every transaction
        except OSError:
            return None
        return found.st_dev, found.st_ino
