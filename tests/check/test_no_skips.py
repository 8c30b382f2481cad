"""The guard itself: a skip, however it is made, fails the run; an expected failure does not."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SKIPS = {
    "mark": "import pytest\n@pytest.mark.skip(reason='later')\ndef test_one(): pass\n",
    "call": "import pytest\ndef test_one(): pytest.skip('no server')\n",
    "fixture": "import pytest\n@pytest.fixture\ndef server(): pytest.skip('no server')\ndef test_one(server): pass\n",
    "module": "import pytest\npytest.importorskip('no_such_module')\n",
}


def run_pytest(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_given.py").write_text(program, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "tests.no_skips", "--rootdir", folder, folder]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("program", SKIPS.values(), ids=SKIPS)
def test_a_skip_fails_the_run(tmp_path: Path, program: str) -> None:
    done = run_pytest(tmp_path, program)
    assert done.returncode != 0
    assert "Every test runs here" in done.stdout


def test_an_expected_failure_is_left_alone(tmp_path: Path) -> None:
    program = "import pytest\n@pytest.mark.xfail(reason='known')\ndef test_one(): assert False\n"
    assert run_pytest(tmp_path, program).returncode == 0
