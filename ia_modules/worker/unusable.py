"""Versions that this process cannot run, and when it tries them again. Meanwhile other workers claim them."""

from collections.abc import Callable
from dataclasses import dataclass

_FIRST_SECONDS, _LONGEST_SECONDS = 5.0, 300.0
_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class _Wait:
    until: float
    seconds: float


class UnusableVersions:
    """Versions that are left to other workers for a while. Each failure doubles the time, up to five minutes."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        """``clock``: monotonic seconds."""
        self._clock = clock
        self._waits: dict[str, _Wait] = {}

    def __len__(self) -> int:
        return len(self._waits)

    def now(self) -> list[str]:
        """Versions that must not be tried now."""
        moment = self._clock()
        return [key for key, wait in self._waits.items() if wait.until > moment]

    def add(self, key: str) -> None:
        known = self._waits.pop(key, None)
        if known is not None and known.until > self._clock():
            self._waits[key] = known  # another execution of it, claimed at the same time
            return
        seconds = _FIRST_SECONDS if known is None else min(2 * known.seconds, _LONGEST_SECONDS)
        self._waits[key] = _Wait(self._clock() + seconds, seconds)
        while len(self._waits) > _REMEMBERED:
            del self._waits[next(iter(self._waits))]

    def discard(self, key: str) -> None:
        self._waits.pop(key, None)
