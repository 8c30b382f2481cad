"""One module is executed by one thread at a time, and threads never wait for each other in a circle.

Two modules that import each other may be loaded by two threads at once. As with Python's own import, the one that would
close the circle does not wait: it goes on with what is there of the module so far.
"""

import threading
from collections.abc import Generator
from contextlib import contextmanager


class ModuleLocks:
    """Locks by name, held by threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._holders: dict[str, int] = {}
        self._waits: dict[int, str] = {}

    @contextmanager
    def holding(self, name: str) -> Generator[None]:
        """Hold the lock of a module for the block; without waiting where this thread has it, or would wait in a circle.

        What another thread executes for ever is waited for as long: give a thread of its own to what may hang.
        """
        taken = self._take(name)
        try:
            yield
        finally:
            if taken:
                with self._changed:
                    del self._holders[name]
                    self._changed.notify_all()

    def _take(self, name: str) -> bool:
        me = threading.get_ident()
        with self._changed:
            while name in self._holders:
                if self._waits_for_thread(name, me):
                    return False
                self._waits[me] = name
                try:
                    self._changed.wait()
                finally:
                    del self._waits[me]
            self._holders[name] = me
            return True

    def _waits_for_thread(self, name: str, thread: int) -> bool:
        """Whether who holds a lock is this thread, or waits, through however many others, for one that it holds."""
        holder = self._holders.get(name)
        while holder is not None and holder != thread:
            name = self._waits.get(holder, "")
            holder = self._holders.get(name)
        return holder == thread
