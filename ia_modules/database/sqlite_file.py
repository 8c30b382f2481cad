"""The identity of a SQLite file: whether its path still leads to the file that was opened."""

import os

from ia_modules.database.url import MEMORY
from ia_modules.errors import DatabaseUnavailable

Identity = tuple[int, int]


class DatabaseFile:
    """The identity of a file at its first opening, for all connections of one manager. Thread-safe.

    A deleted or replaced file stays open: without a check, commits would go into a file without a name, while a new
    connection would start an empty one. The check is a ``stat``, about 2 µs.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._opened: Identity | None = None

    @property
    def may_be_created(self) -> bool:
        """Whether no file was opened yet; only then a missing file is created."""
        return self._opened is None

    def remember(self) -> None:
        """Store the identity of the opened file. Only the first call counts."""
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
