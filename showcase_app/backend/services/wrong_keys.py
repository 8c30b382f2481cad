"""Keys that are nobody's: counted, and written to the log, but not more often than somebody can read it."""

import asyncio
import logging

logger = logging.getLogger("ia_modules.showcase")


class WrongKeys:
    """The wrong keys that one server was shown since it started.

    The first goes to the log at once, those after it together when ``pause_seconds`` have passed. No key does.

    Attributes:
        total: how many there were.
    """

    def __init__(self, *, pause_seconds: float = 60.0) -> None:
        self.total = 0
        self._pause_seconds = pause_seconds
        self._unsaid: int | None = None  # None: the next one is said at once
        self._address = ""

    def count(self, address: str) -> None:
        """Count one. Must be called from a running event loop.

        Args:
            address: the client's.
        """
        self.total += 1
        self._address = address
        if self._unsaid is None:
            self._say(1)
        else:
            self._unsaid += 1

    def _say(self, count: int) -> None:
        keys = "a wrong key" if count == 1 else f"{count} wrong keys, the last"
        logger.warning("Refused %s from %s; %d since the server started.", keys, self._address, self.total)
        self._unsaid = 0
        asyncio.get_running_loop().call_later(self._pause_seconds, self._after_pause)

    def _after_pause(self) -> None:
        unsaid, self._unsaid = self._unsaid, None
        if unsaid:
            self._say(unsaid)
