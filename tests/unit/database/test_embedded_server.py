import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

KEEP = """
import sys
sys.path.insert(0, sys.argv[1])
from tests.postgres import embedded_server
with embedded_server() as url:
    print(url, flush=True)
    sys.stdin.read()
"""


def test_an_embedded_server_ends_with_the_process_that_uses_it_even_if_that_is_killed() -> None:
    repository = str(Path(__file__).parents[3])
    with subprocess.Popen([sys.executable, "-c", KEEP, repository], stdin=-1, stdout=-1, text=True) as user:
        assert user.stdout is not None
        folder = Path(user.stdout.readline().strip().partition("host=")[2])
        server = psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))
        keepers = psutil.Process(user.pid).children()
        os.kill(user.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(keepers, timeout=20)
    assert alive == []
    assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE
    assert not folder.exists()
