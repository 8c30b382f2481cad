"""Keys and passwords of who starts a server or a worker: used by it, and out of reach of the code of steps."""

import json
import os
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from ia_modules.cli.options.secrets import Secrets, separated
from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.database.url import with_password, without_secrets
from ia_modules.pipeline.allowed_code import MODULES_VARIABLE
from tests.unit.cli.conftest import command_on
from tests.unit.cli.programs import COMMAND, PATIENCE_SECONDS, environment, lines_until

KEY = "operator-key-0123456789"
PASSWORDS = {"PGPASSWORD": "hunter2-of-the-variable", "URL": "hunter3-of-the-url"}
SECRETS = (KEY, *PASSWORDS.values())

CODE = '''
import os
import subprocess
import sys
from pathlib import Path


def text_of(path):
    return path.read_bytes().decode(errors="replace").replace("\\0", " ")


def peek(data):
    """Whatever a step can read of the process that it runs in, without a search through its memory."""
    seen = {
        "environ": dict(os.environ),
        "argv": [sys.argv, sys.orig_argv],
        "child": subprocess.run([sys.executable, "-c", "import os; print(os.environ)"], stdout=-1).stdout.decode(),
    }
    for name in ("environ", "cmdline"):
        if Path(f"/proc/self/{name}").exists():
            seen[f"proc {name}"] = text_of(Path(f"/proc/self/{name}"))
    for folder in Path("/proc/self/task").glob("*"):
        seen[str(folder)] = text_of(folder / "environ")
    return {"seen": seen, "pid": os.getpid()}
'''
PIPELINE = {
    "name": "Peek",
    "slug": "peek",
    "steps": [{"id": "peek", "module": "peeking", "step_class": "peek"}],
    "flow": {"start_at": "peek"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pipelines" / "peek"
    folder.mkdir(parents=True)
    (folder / "peeking.py").write_text(CODE)
    (folder / "pipeline.json").write_text(json.dumps(PIPELINE))
    return folder


def started(database_url: str, folder: Path, *arguments: str, url_is: str) -> subprocess.Popen[str]:
    """A command that has each secret from where it can be given one: variables, and the database's URL."""
    url = with_password(without_secrets(database_url), PASSWORDS["URL"])
    variables = environment(url if url_is == "a variable" else "sqlite:///never.db") | {
        "IA_MODULES_API_KEYS": f"ada={KEY}"
    }
    option = {"a variable": [], "an option": ["--db", url], "one word": [f"--db={url}"]}[url_is]
    return subprocess.Popen(
        [*COMMAND[:1], "-X", "utf8", *COMMAND[1:], *arguments, *option],
        env=variables | {"PGPASSWORD": PASSWORDS["PGPASSWORD"], MODULES_VARIABLE: "peeking"},
        cwd=folder.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def result_of(database_url: str, folder: Path) -> dict[str, Any]:
    async with DatabaseManager(database_url) as database, Client(database) as client:
        registered = await client.register(folder / "pipeline.json")
        queued = await client.queue(registered.pipeline_id, {})
        await client.wait(queued.execution_id, timeout_seconds=PATIENCE_SECONDS)
        [step] = await client.steps(queued.execution_id)
        assert step.output_data is not None, step.traceback
        return cast(dict[str, Any], step.output_data)


@pytest.mark.parametrize(
    ("dialect", "command", "url_is"),
    [
        ("postgresql", "serve", "a variable"),
        ("postgresql", "serve", "one word"),
        ("postgresql", "worker", "an option"),
        ("sqlite", "serve", "a variable"),  # a file has no password, so where its URL stands is all the same
    ],
)
async def test_no_step_can_read_what_the_program_was_started_with(
    database_url: str, folder: Path, command: str, url_is: str
) -> None:
    arguments = ("serve", "--port", "0", "--pipelines", str(folder.parent)) if command == "serve" else ("worker",)
    with ExitStack() as stack:
        process = stack.enter_context(started(database_url, folder, *arguments, url_is=url_is))
        stack.callback(process.kill)
        (line,) = lines_until(process, lambda line: True)
        result = await result_of(database_url, folder)
        if command == "serve":  # the key that was taken opens it
            async with httpx.AsyncClient(
                headers={"Authorization": f"Bearer {KEY}"}, timeout=PATIENCE_SECONDS
            ) as client:
                address = f"{line.split(' at ')[1].split()[0]}/api/executions"
                assert (await client.get(address)).status_code == 200
        process.terminate()
        _, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, err) == (0, "")
    assert result["pid"] == process.pid
    assert "DATABASE_URL" in result["seen"]["environ"]
    for place, text in result["seen"].items():
        assert not [secret for secret in SECRETS if secret in str(text)], place
    assert "-X" in result["seen"]["argv"][1]
    assert "error" in result["seen"]["argv"][1]


def test_secrets_are_parted_from_what_everybody_may_read() -> None:
    url, other = "postgresql://u:one@h/ia", "postgresql://u:two@h/ib?password=three&sslmode=disable"
    environ = {"IA_MODULES_API_KEYS": "k", "PGPASSWORD": "p", "DATABASE_URL": url, "HOME": "/"}
    shown, bare, other_bare = {"DATABASE_URL": "postgresql://u@h/ia", "HOME": "/"}, *map(without_secrets, (url, other))
    for arguments, shown_arguments, urls in (
        (["worker"], ["worker"], {bare: url}),
        (["--db", other], ["--db", other_bare], {other_bare: other}),
        ([f"--db={other}"], [f"--db={other_bare}"], {other_bare: other}),
        (["--db", "sqlite:///a"], ["--db", "sqlite:///a"], {}),
        (["--db"], ["--db"], {bare: url}),
    ):
        taken, *public = separated(environ, arguments)
        assert public == [shown, shown_arguments]
        assert taken == Secrets({"IA_MODULES_API_KEYS": "k", "PGPASSWORD": "p"}, urls)
        assert taken.api_keys == "k"
        assert "k" not in repr(taken).removeprefix("Secrets")


def test_a_url_is_made_whole_again_and_one_without_a_password_gets_the_variables() -> None:
    taken = Secrets({"PGPASSWORD": "p"}, {"postgresql://u@h/ia": "postgresql://u:one@h/ia"})
    assert taken.full_url("postgresql://u@h/ia") == "postgresql://u:one@h/ia"
    assert taken.full_url("postgresql://u@h/ib") == "postgresql://u@h/ib?password=p"
    assert taken.full_url("sqlite:///ia.db") == "sqlite:///ia.db"
    assert Secrets().full_url("postgresql://u@h/ia") == "postgresql://u@h/ia"


def test_without_secrets_nothing_is_changed() -> None:
    environ = {"DATABASE_URL": "postgresql://u@h/ia", "HOME": "/"}
    assert separated(environ, ["worker"]) == (Secrets(), environ, ["worker"])


def test_the_command_line_inside_of_another_program_changes_no_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IA_MODULES_API_KEYS", f"ada={KEY}")
    monkeypatch.setenv("PGPASSWORD", PASSWORDS["PGPASSWORD"])
    command = command_on(f"sqlite:///{tmp_path / 'ia.db'}", monkeypatch)
    before = dict(os.environ)
    assert "nobody.invalid" in command("serve", "--host", "nobody.invalid").stderr  # so the keys were read
    assert "/nowhere" in command("worker", "--db", "sqlite:////nowhere/at/all/ia.db").stderr
    assert dict(os.environ) == before


def test_a_number_that_is_no_file_is_no_secret(tmp_path: Path) -> None:
    for number in ("99", "x"):
        process = subprocess.run(
            [*COMMAND, "worker", "--db", "sqlite:////nowhere/at/all/ia.db"],
            env=os.environ | {"IA_MODULES_HANDED_OVER": number},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert process.returncode == 1
        assert "Traceback" not in process.stderr
