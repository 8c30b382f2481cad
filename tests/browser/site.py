"""The server as people start it: a process of its own, which tests may kill and start again at the same address."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page

from tests.plain_http import NO_CERTIFICATES

ROOT = Path(__file__).parents[2]
PIPELINES = (ROOT / "examples", Path(__file__).parent / "pipelines")
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.05


class Site:
    """``ia-modules serve`` over one database, with the example pipelines and those of these tests."""

    def __init__(self, database_url: str, *options: str) -> None:
        self.database_url, self._options = database_url, options
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self, environ: dict[str, str] | None = None) -> None:
        """Start it, at the address it had before, if any; returns when it can work."""
        port = self.url.rpartition(":")[2] or "0"
        folders = [part for folder in PIPELINES for part in ("--pipelines", str(folder))]
        command = [sys.executable, "-m", "ia_modules.cli", "serve", "--port", port, *folders, *self._options]
        environment = os.environ | {"DATABASE_URL": self.database_url} | (environ or {})
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found is not None, f"the server did not start; it said: {line!r}"
        self.url = found[0]
        transport = httpx.HTTPTransport(retries=10, verify=NO_CERTIFICATES)
        with httpx.Client(base_url=self.url, transport=transport, timeout=PATIENCE_SECONDS) as api:
            assert api.get("/health").status_code == 200

    def kill(self) -> None:
        """End it without a chance to say anything."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.communicate(timeout=PATIENCE_SECONDS)
        self._process = None

    def api(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=PATIENCE_SECONDS, verify=NO_CERTIFICATES)

    def start_execution(self, slug: str, input_data: dict[str, Any]) -> str:
        """Queue an execution of a pipeline; returns its id."""
        with self.api() as api:
            answer = api.post(f"/api/pipelines/{slug}/executions", json={"input_data": input_data})
        assert answer.status_code == 202, answer.text
        return answer.json()["execution_id"]

    def until_ended(self, execution_id: str) -> None:
        """Wait until an execution has completed, failed or was cancelled."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.execution(execution_id)["status"] not in ("completed", "failed", "cancelled"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{execution_id} never ended")
            time.sleep(LOOK_SECONDS)

    def execution(self, execution_id: str) -> dict[str, Any]:
        with self.api() as api:
            return api.get(f"/api/executions/{execution_id}").raise_for_status().json()


def question_of(api: httpx.Client, execution_id: str) -> str:
    """The id of the question that an execution asks, as soon as it does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (questions := api.get(f"/api/executions/{execution_id}").raise_for_status().json()["interactions"]):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{execution_id} never asked")
        time.sleep(LOOK_SECONDS)
    return questions[0]["interaction_id"]


def chromium() -> str:
    """The path of the system's Chromium."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
            if (path := Path(folder) / name).is_file():
                return str(path)
    raise FileNotFoundError("No Chromium on the PATH; `make test` installs Debian's where it may.")


CHROMIUM_OPTIONS: Sequence[str] = (
    "--no-sandbox",  # CI runs as root, where Chromium's own sandbox does not start
    "--disable-gpu",
    "--disable-background-networking",  # nothing but the pages is asked for
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def fits(page: Page, width: int = 360) -> None:
    """Wait until a page that was made narrow is as wide as that: it is laid out anew. Its CSP forbids polls."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (wide := page.evaluate("document.documentElement.scrollWidth")) > width:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{page.url} is {wide} wide, and {width} are there")
        page.wait_for_timeout(LOOK_SECONDS * 1000)
