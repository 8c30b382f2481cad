"""Whether a process that owns executions still lives: judged from its heartbeat row alone, by the database's clock."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ia_modules.models import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Liveness(Record):
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
