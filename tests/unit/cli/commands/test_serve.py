import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from math import inf
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Command, Recorded, command_on
from tests.unit.cli.programs import lines_until, piped
from tests.unit.database.proxy import proxy_to


def serve(database_url: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "ia_modules.cli", "serve", "--port", "0"],
        env=os.environ | {"DATABASE_URL": database_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until_ready(url: str) -> None:
    """It answers before its worker's first heartbeat is on record, and says 503 until then."""
    while True:
        try:
            with urllib.request.urlopen(f"{url}/health/ready", timeout=60) as answer:  # noqa: S310 (our own address)
                assert answer.status == 200
                return
        except urllib.error.HTTPError as refused:
            refused.close()
            if refused.code != HTTPStatus.SERVICE_UNAVAILABLE:
                raise
        time.sleep(0.05)  # between two looks: another process has no event to wait for


@pytest.mark.parametrize(
    ("dialect", "number"),
    [
        ("sqlite", signal.SIGINT),
        ("sqlite", signal.SIGTERM),
        ("sqlite", signal.SIGHUP),
        ("postgresql", signal.SIGTERM),
    ],
)
def test_serve_says_where_it_is_and_ends_cleanly_when_asked_to(empty_database_url: str, number: signal.Signals) -> None:
    server = serve(empty_database_url)
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        url = line.split(" at ")[1].split()[0]
        assert line.startswith(f"ia_modules serves {empty_database_url.partition(':')[0]}")
        wait_until_ready(url)
        server.send_signal(number)
        stdout, stderr = server.communicate(timeout=60)
    finally:
        server.kill()
        server.communicate()
    assert (server.returncode, stdout, stderr) == (0, "", "")


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_serve_shows_a_run_file_and_leaves_it_as_it_is(command: Command, recorded: Recorded, tmp_path: Path) -> None:
    file = tmp_path / "run.iarun"
    assert command("executions", "export", recorded[1], "-o", str(file)).exit_code == 0
    before = file.read_bytes()
    with piped("sqlite:////nowhere/at/all.db", "serve", str(file), "--port", "0") as server:
        [line] = lines_until(server, lambda line: True)
        assert line.startswith(
            f"ia_modules serves {file} read-only (1 run; inputs, outputs and 1 log line, in full) at "
        )
        url = line.split(" at ")[1].split()[0]
        wait_until_ready(url)
        with urllib.request.urlopen(f"{url}/api/executions", timeout=60) as answer:  # noqa: S310 (our own address)
            assert recorded[1].encode() in answer.read()
        server.send_signal(signal.SIGTERM)
        out, err = server.communicate(timeout=60)
    assert (server.returncode, out, err) == (0, "", "")
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("run.")] == ["run.iarun"]


def test_serve_refuses_a_file_that_is_no_run_file(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "run.iarun"
    file.write_text("{}")
    refused = command("serve", str(file), "--port", "0")
    assert (refused.exit_code, refused.stdout, len(refused.stderr.splitlines())) == (1, "", 1)
    assert "it is no SQLite file" in refused.stderr


def test_serve_refuses_what_it_cannot_do_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = command_on(f"sqlite:///{tmp_path / 'ia.db'}", monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for arguments, message in (
            (("--port", port), f"Cannot listen at 127.0.0.1 port {port}"),
            (("--host", "0.0.0.0"), "is not this machine's loopback"),  # noqa: S104
            (("--db", "sqlite:////nowhere/at/all/ia.db"), "/nowhere/at/all"),
        ):
            result = command("serve", *arguments)
            assert (result.exit_code, result.stdout) == (1, "")
            assert message in result.stderr
            assert len(result.stderr.splitlines()) == 1


def test_a_host_that_nobody_knows_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IA_MODULES_API_KEYS", "me=secret-0123456789")
    result = command_on(f"sqlite:///{tmp_path / 'ia.db'}", monkeypatch)("serve", "--host", "nobody.invalid")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: Cannot listen at nobody.invalid: ")
    assert "Unknown error" not in result.stderr
    assert "--port" not in result.stderr  # another port would be of no use


def test_serve_without_its_extra_says_what_to_install(tmp_path: Path) -> None:
    without = "import sys; sys.modules['fastapi'] = None; from ia_modules.cli.app import app; app()"
    done = subprocess.run(
        [sys.executable, "-c", without, "serve"], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    assert "fastapi is not installed" in done.stderr
    assert "pip install 'ia_modules[showcase]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_serve_that_starts_while_the_database_is_away_waits_for_it_and_says_so(empty_database_url: str) -> None:
    async with proxy_to(empty_database_url) as proxy:
        proxy.refuses = inf
        with piped(proxy.url, "serve", "--port", "0") as server:
            assert server.stderr is not None
            line = await asyncio.to_thread(server.stderr.readline)
            assert line.startswith("Waiting for the database: ")
            proxy.refuses = 0
            [line] = await asyncio.to_thread(lines_until, server, lambda line: True)
            assert line.startswith("ia_modules serves postgresql")
            server.send_signal(signal.SIGTERM)
            await asyncio.to_thread(server.communicate, timeout=60)
    assert server.returncode == 0


def test_serve_that_waits_for_its_database_ends_when_told_to_and_shows_no_password() -> None:
    with piped("postgresql://me:hunter2@127.0.0.1:1/ia", "serve", "--port", "0") as server:
        assert server.stderr is not None
        line = server.stderr.readline()
        server.send_signal(signal.SIGTERM)
        out, err = server.communicate(timeout=60)
    assert (server.returncode, out) == (0, "")
    assert "127.0.0.1:1" in line
    assert "hunter2" not in line + err
