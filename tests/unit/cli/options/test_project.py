import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ia_modules.cli.options.project import use_project
from tests.unit.pipeline.factories import document, task

SCRIPT = "import sys; sys.argv[0] = 'ia-modules'; del sys.path[0]; from ia_modules.cli.app import app; app()"
SPELLINGS = {"ia-modules": ["-c", SCRIPT], "python -m": ["-m", "ia_modules.cli"]}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A pipeline whose step imports from a project, and a module there that must not hide an installed one."""
    for folder in ("jobs", "project", "elsewhere"):
        (tmp_path / folder).mkdir()
    steps = "import own\nimport yaml\ndef go(data):\n    return {'own': own.VALUE, 'yaml': yaml.safe_load('7')}\n"
    (tmp_path / "jobs" / "steps.py").write_text(steps)
    written = document(task("go", module="steps", step_class="go"), name="Own")
    (tmp_path / "jobs" / "pipeline.json").write_text(json.dumps(written))
    (tmp_path / "project" / "own.py").write_text("VALUE = 'project'\n")
    (tmp_path / "project" / "yaml.py").write_text("raise RuntimeError('hides what is installed')\n")
    return tmp_path


def ran(place: Path, spelling: str, *arguments: str, cwd: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *SPELLINGS[spelling], *arguments]
    return subprocess.run(command, cwd=place / cwd, capture_output=True, text=True, timeout=100)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_steps_find_modules_of_the_current_folder_or_of_the_project(place: Path, spelling: str) -> None:
    run = ("run", "../jobs/pipeline.json", "--json", "--db", f"sqlite:///{place}/a.db")
    for arguments, cwd in ((run, "project"), ((*run, "--project", "../project"), "elsewhere")):
        done = ran(place, spelling, *arguments, cwd=cwd)
        assert done.returncode == 0, done.stderr
        assert '"own":"project"' in done.stdout.replace(" ", "")
    refused = ran(place, spelling, *run, cwd="elsewhere")
    assert refused.returncode == 2
    for looked in (f"{place}/jobs, which has steps.py", f"{place}/elsewhere", "installed packages"):
        assert looked in refused.stderr


@pytest.mark.parametrize(
    "command", [["pipelines", "validate"], ["pipelines", "import", "--db", "sqlite:///b.db"]], ids=" ".join
)
def test_what_reads_files_takes_a_project_too(place: Path, command: list[str]) -> None:
    arguments = [*command, "../jobs/pipeline.json"]
    assert ran(place, "python -m", *arguments, cwd="elsewhere").returncode == 2
    done = ran(place, "python -m", *arguments, "--project", "../project", cwd="elsewhere")
    assert done.returncode == 0, done.stderr


def test_a_folder_is_appended_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", ["installed"])
    for _ in range(2):
        use_project(tmp_path)
    assert sys.path == ["installed", str(tmp_path)]
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    use_project(None)  # nothing to append
    assert sys.path == ["installed", str(tmp_path)]


@pytest.mark.parametrize(("command", "status"), [("pipelines validate", 0), ("run", 2), ("worker", 2), ("serve", 2)])
def test_a_current_folder_that_was_deleted_is_no_traceback(place: Path, command: str, status: int) -> None:
    (place / "jobs" / "own.py").write_text("VALUE = 'jobs'\n")
    file = [] if command in ("worker", "serve") else [str(place / "jobs" / "pipeline.json")]
    gone = place / "gone"
    script = [sys.executable, *SPELLINGS["python -m"], *command.split(), *file]
    done = subprocess.run(
        ["sh", "-c", 'mkdir "$0" && cd "$0" && rmdir "$0" && exec "$@"', str(gone), *script],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (status, False), done.stderr
    assert status == 0 or "The current folder was deleted. Start this in another one." in done.stderr
