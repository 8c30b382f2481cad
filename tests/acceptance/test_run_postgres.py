"""``make run-postgres``: the server on a PostgreSQL of its own, which ends with it and keeps its data."""

import re
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0


@contextmanager
def serving(data: Path) -> Generator[str]:
    """Its address, for as long as the block lasts; it is asked to end then, and must end well."""
    command = [sys.executable, str(ROOT / "scripts" / "run_postgres.py"), "--data", str(data), "--port", "0"]
    folders = ["--pipelines", str(ROOT / "examples")]
    with subprocess.Popen([*command, *folders], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        found = re.search(r"http://\S+", program.stdout.readline())
        try:
            assert found is not None, "the server did not start"
            yield found[0]
        finally:
            program.send_signal(signal.SIGTERM)
            assert program.wait(PATIENCE_SECONDS) == 0


def test_it_serves_the_examples_on_postgresql_and_finds_them_again_the_next_day(tmp_path: Path) -> None:
    seen: list[list[str]] = []
    for _ in ("today", "tomorrow"):
        with serving(tmp_path / "pg") as url, httpx.Client(base_url=url, timeout=PATIENCE_SECONDS) as api:
            assert api.get("/api/system").json()["database"]["dialect"] == "postgresql"
            seen.append([pipeline["id"] for pipeline in api.get("/api/pipelines").json()["items"]])
        assert not (tmp_path / "pg" / "postmaster.pid").exists(), "PostgreSQL goes on running"
    assert len(seen[0]) == len(list(ROOT.glob("examples/*/pipeline.json")))
    assert seen[0] == seen[1]
