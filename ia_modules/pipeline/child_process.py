"""A process of this program's own: messages in, messages out, and it ends with this program, however that dies.

    loop ──message──→ thread that writes ──socket──→ process
    loop ←──message── thread that reads  ←──socket──

What runs there is a function ``main(channel, lifeline, *args)``, which serves its channel with
:func:`ia_modules.pipeline.child_main.serve`.
"""

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from queue import SimpleQueue

END_SECONDS = 5.0
"""How long a process that is to end may take to close what it has."""

LENGTH = struct.Struct("!Q")
"""What stands in front of each message: how many bytes it has."""

_LOOK_SECONDS = 0.002


class ChildProcess:
    """One process, from its start to its end. Made in any thread."""

    def __init__(
        self,
        main: str,
        *args: str | None,
        tell: Callable[[bytes | int], None],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start it.

        Args:
            main: the module whose ``main`` runs there.
            tell: takes each of its messages and, last, its exit status; called in a thread. When it raises an error,
                the process is ended: its messages cannot be read.
            environment: variables that it has besides those of this process.

        Raises:
            OSError: the system starts none.
        """
        self._socket, theirs = socket.socketpair()
        their_end, self._lifeline = os.pipe()  # the system closes our end of it when this process dies
        path = f"import sys; sys.path[:] = {sys.path!r}"  # before anything is imported, ourselves included
        call = f"from {main} import main; main(*{(theirs.fileno(), their_end, *args)!r})"
        try:
            self._popen = subprocess.Popen(  # noqa: S603 - this Python, with code of our own
                [sys.executable, "-c", f"{path}; {call}"],
                pass_fds=(theirs.fileno(), their_end),
                stdin=subprocess.DEVNULL,
                stdout=2,  # on stdout may be what the caller reads
                start_new_session=True,  # Ctrl-C is for its owner, and what it starts is ended with it
                env={**os.environ, **(environment or {})},
            )
        except OSError:
            self._socket.close()
            os.close(self._lifeline)
            raise
        finally:
            theirs.close()
            os.close(their_end)
        self._hear = tell
        self._outgoing = SimpleQueue[bytes | None]()
        self._lock = threading.Lock()
        self._gone = threading.Event()
        for work, name in ((self._read, "read"), (self._write, "write")):
            threading.Thread(target=work, name=f"child-process:{name}", daemon=True).start()

    def send(self, message: bytes) -> None:
        """Nothing happens where it has ended: ``tell`` is told that."""
        self._outgoing.put(message)

    def begin_to_end(self) -> None:
        """Let it close what it has, and end."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def end_within(self, seconds: float) -> None:
        """Wait until it has ended, and end it then."""
        if not self._gone.wait(seconds):
            self.kill()
            self._gone.wait(END_SECONDS)

    def kill(self) -> None:
        """End it with all that it has started; nothing where it has ended, since its number may be another's by now."""
        with self._lock:
            if not self._gone.is_set():
                self._kill_group()

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):  # nothing of it is left; macOS says so in another way
            os.killpg(self._popen.pid, signal.SIGKILL)

    # In threads

    def _read(self) -> None:
        try:
            while (message := self._read_one()) is not None:
                self._hear(message)
        except Exception:  # noqa: BLE001 - somebody else has written to its socket
            self.kill()
        self._wait_for_its_end()
        with self._lock:
            if self._popen.returncode is None:  # else its number may be another's by now
                self._kill_group()  # with what it has started
            status = self._popen.wait()
            self._gone.set()
        self._outgoing.put(None)
        self._hear(status)
        self._socket.close()
        os.close(self._lifeline)

    def _wait_for_its_end(self) -> None:
        """Wait until it has ended, for five seconds at most: it may have closed its socket, and live."""
        end_at = time.monotonic() + END_SECONDS
        while time.monotonic() < end_at and not self._has_ended():
            time.sleep(_LOOK_SECONDS)

    def _has_ended(self) -> bool:
        """Whether it has; where the system can say so without waiting for it, it is not waited for."""
        if not hasattr(os, "waitid"):
            return self._popen.poll() is not None
        try:
            return os.waitid(os.P_PID, self._popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:  # this program waits for all its children itself, and was faster
            self._popen.poll()
            return True

    def _read_one(self) -> bytes | None:
        header = self._read_exactly(LENGTH.size)
        return None if header is None else self._read_exactly(LENGTH.unpack(header)[0])

    def _read_exactly(self, count: int) -> bytes | None:
        read = bytearray(count)
        view, at = memoryview(read), 0
        with suppress(OSError):
            while at < count and (came := self._socket.recv_into(view[at:])):
                at += came
        return bytes(read) if at == count else None

    def _write(self) -> None:
        while (message := self._outgoing.get()) is not None:
            with suppress(OSError):  # who reads finds out
                self._socket.sendall(LENGTH.pack(len(message)) + message)


def end_together(processes: Iterable[ChildProcess]) -> None:
    """End processes, which may close what they have first; without threads, which a program that ends cannot start."""
    ending, end_at = list(processes), time.monotonic() + END_SECONDS
    for each in ending:
        each.begin_to_end()
    for each in ending:
        each.end_within(max(0.0, end_at - time.monotonic()))
