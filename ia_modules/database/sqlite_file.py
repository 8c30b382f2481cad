"""The identity of a SQLite file: whether its path still leads to the file that was opened."""

import os
from contextlib import suppress
from threading import Lock

from ia_modules.database.url import MEMORY
from ia_modules.errors import DatabaseUnavailable

Identity = tuple[int, int]

_FOR_ITS_OWNER = 0o600  # what is on record may be anybody's secret


class DatabaseFile:
    """The identity of a file, and of its ``-wal`` and ``-shm``, for all connections of one manager. Thread-safe.

    A deleted or replaced file stays open: without a check, commits would go into a file without a name, while a new
    connection would start an empty one. A check is three ``stat``, about 6 µs.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._opened: Identity | None = None
        self._companions: dict[str, Identity] = {}
        self._users = 0
        self._changing = Lock()

    def create(self) -> None:
        """Create a missing file, empty and for its owner alone; SQLite gives its companions the same mode.

        Only before the first one was opened. A file that exists stays as it is; SQLite reports what keeps one from
        being created.
        """
        if self._opened is None and self.path != MEMORY:
            with suppress(OSError):
                os.close(os.open(os.path.realpath(self.path), os.O_RDWR | os.O_CREAT | os.O_EXCL, _FOR_ITS_OWNER))

    def remember(self) -> None:
        """Store the identity of the opened file. Only the first call counts."""
        if self._opened is None and self.path != MEMORY:
            self._opened = _identity(self.path)

    def begin_use(self) -> None:
        """A connection has used the file: until the last one closes, SQLite keeps its companions as they are now."""
        with self._changing:
            self._users += 1
            if not self._companions and self.path != MEMORY:
                found = {name: _identity(name) for name in (f"{self.path}-wal", f"{self.path}-shm")}
                self._companions = {name: identity for name, identity in found.items() if identity}

    def end_use(self) -> None:
        """A connection that called :meth:`begin_use` is about to close."""
        with self._changing:
            self._users -= 1
            if self._users == 0:
                self._companions = {}

    def check(self) -> None:
        """Raise DatabaseUnavailable when the file or a companion is not the one that was opened."""
        if self._opened is not None and (found := _identity(self.path)) != self._opened:
            raise DatabaseUnavailable(
                f"The SQLite file {self.path} was {'moved or deleted' if found is None else 'replaced'} while it was "
                "open here; nothing is read from it or written to it any more. Put it back, or make a new "
                "DatabaseManager."
            )
        for name, identity in self._companions.items():
            if _identity(name) != identity:
                raise DatabaseUnavailable(
                    f"{name} was deleted or replaced while the database was open here; nothing is read from it or "
                    "written to it any more. Put it back, or end every program that uses the database: the last one "
                    "moves its commits into the database where it still can. Then look whether any are missing."
                )


def _identity(path: str) -> Identity | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - half the time of Path.stat, for every transaction
    except OSError:
        return None
    return found.st_dev, found.st_ino
