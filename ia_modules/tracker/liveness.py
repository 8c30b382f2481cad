"""Whether a process that owns executions still lives: judged from its heartbeat row alone.

By the database's clock it is gone when its last heartbeat is older than its lease. That clock may be set back, and then
a dead process would live for as long: so whoever looks again and again also goes by a clock of its own.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from msgspec import Struct

from ia_modules.models import Record, WorkerId


class Liveness(Record, kw_only=True, frozen=True):
    """The heartbeat row of a process at a moment (``now``).

    Attributes:
        lease_seconds: how long it may be silent before others take over what it runs: frozen, cut off or killed.
        stopped_at: when it ended in order, or was declared gone; None otherwise.
    """

    lease_seconds: float
    heartbeat_at: datetime
    stopped_at: datetime | None
    now: datetime

    @property
    def last_heard_seconds(self) -> float:
        """How long ago its last heartbeat was; 0 when that lies ahead of the database's clock."""
        return max(0.0, (self.now - self.heartbeat_at).total_seconds())

    @property
    def counts_as_gone_in_seconds(self) -> float:
        """When it counts as gone unless it is heard again; 0 when it does so now."""
        return 0.0 if self.stopped_at is not None else max(0.0, self.lease_seconds - self.last_heard_seconds)

    @property
    def is_gone(self) -> bool:
        """Whether what it runs may be taken over."""
        return self.state != "alive"

    @property
    def state(self) -> Literal["alive", "silent", "stopped"]:
        if self.stopped_at is not None:
            return "stopped"
        return "alive" if self.last_heard_seconds <= self.lease_seconds else "silent"


class Beat(Struct, frozen=True):
    """The last heartbeat of a process; ``heartbeat_at`` as the database gave it, only to be compared."""

    worker_id: WorkerId
    heartbeat_at: object
    lease_seconds: float


class BeatWatch:
    """Remembers heartbeats, and since when they have not moved on a clock that only rises."""

    def __init__(self) -> None:
        self._seen: dict[Beat, float] = {}

    def look(self, beats: Iterable[Beat], *, now: float) -> list[Beat]:
        """Those that have not moved for longer than their lease and a fifth of it.

        Args:
            beats: of all processes that are of interest; others are forgotten.
            now: seconds on the rising clock.
        """
        self._seen = {beat: self._seen.get(beat, now) for beat in beats}
        return [beat for beat, since in self._seen.items() if now - since > 1.2 * beat.lease_seconds]

    def forget(self) -> None:
        """Begin anew: nobody could write for a while."""
        self._seen.clear()
