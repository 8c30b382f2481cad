"""The suite finds a journal that breaks a promise: one that forgets who owns an execution fails it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

SUITE = """
import pytest
from hypothesis import Phase, settings

settings.register_profile("found", phases=[Phase.generate])  # that it fails is enough: no need for the shortest history
settings.load_profile("found")

from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.testing import JournalContract
from tests.conformance.clock import Clock

class Broken(MemoryJournal):
{defect}

class TestBroken(JournalContract):
    @pytest.fixture
    def clock(self):
        return Clock()

    @pytest.fixture
    def journals(self, clock):
        return [Broken(now=clock)]

    @pytest.fixture
    def set_clock(self, clock):
        return clock.set
"""

DEFECTS = {
    "writes for anybody": """
    async def record(self, transition):
        execution = await self.get_execution(transition.execution_id) if transition.execution_id else None
        owner = transition.writer if execution is None else execution.owner
        return await super().record(msgspec.structs.replace(transition, writer=owner, lease=None))
""",
    "leaves open what is within a run that ended": """
    def _close(self, execution_id, closing, sequence):
        if not closing.path:
            super()._close(execution_id, closing, sequence)
""",
    "forgets log lines": """
    async def record(self, transition):
        return await super().record(msgspec.structs.replace(transition, logs=()))
""",
}


def run_suite(folder: Path, defect: str, *more_options: str) -> str:
    (folder / "test_broken.py").write_text("import msgspec\n" + SUITE.format(defect=defect), encoding="utf-8")
    options = ["-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "--rootdir", str(folder), "-q", *more_options]
    command = [sys.executable, "-m", "pytest", "-p", "pytest_asyncio.plugin", *options, str(folder)]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # others take longer to load than the suite
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)
    return ran.stdout


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_journal_that_breaks_a_promise_fails_the_suite(tmp_path: Path, defect: str) -> None:
    output = run_suite(tmp_path, DEFECTS[defect], "--exitfirst")  # one failure is enough
    assert " failed" in output, output


def test_a_journal_that_keeps_all_promises_passes(tmp_path: Path) -> None:
    output = run_suite(tmp_path, "    pass")
    assert " passed" in output, output
    assert " failed" not in output, output
