"""Whether what waits is written in two halves that alternate: while one is written, the writers of the other go on.

Writers that all wait for one commit move in step: the database rests while they compute, and they while it writes. In
halves both work at once, for twice the commits. That is worth it where a commit takes no longer than the computing
between two of the same half; where the disk is slow it is not, and all is one batch again.

On PostgreSQL only, which writes in processes of its own: the thread of SQLite would compete with the writers for the
interpreter.
"""

import time
from collections import deque
from collections.abc import Callable

_PASSES = 4
"""Turns of the loop in which a woken writer has run a step that waits for nothing, and is back."""


class Cohorts:
    """Decides how much of what waits goes into the next batch."""

    def __init__(
        self,
        *,
        divides: bool,
        clock: Callable[[], float] = time.perf_counter,
        computed: Callable[[], float] = time.thread_time,
    ) -> None:
        """Begin with all in one batch.

        Args:
            divides: whether halves are ever made.
            clock: seconds from any start.
            computed: seconds that the thread of the writers has worked, from any start.
        """
        self._divides, self._clock, self._computed = divides, clock, computed
        self._began_at = 0.0
        self._at_begin: deque[float] = deque(maxlen=3)
        self.are_two = False

    def share(self, writers: int) -> int:
        """How many at most go into the next batch, of so many writers."""
        return -(-writers // 2) if self.are_two else writers

    def passes(self, waiting: int, writers: int) -> int:
        """For how many turns of the loop the next batch waits for its half to be whole."""
        return _PASSES if self.are_two and waiting < writers // 2 else 0

    def begin(self) -> None:
        """A batch is sent."""
        if self._divides:
            self._at_begin.append(self._computed())
            self._began_at = self._clock()

    def end(self) -> None:
        """It is written: decide how the next ones are made."""
        if not self._divides:
            return
        batches = 2 if self.are_two else 1
        if len(self._at_begin) > batches:
            computing = self._at_begin[-1] - self._at_begin[-1 - batches]
            self.are_two = self._clock() - self._began_at <= computing
