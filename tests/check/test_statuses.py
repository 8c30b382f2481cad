"""Every list of statuses has all that belong in it: the words stand in SQL, Python, TypeScript and CSS."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from ia_modules.models import ExecutionStatus, StepStatus
from tests.check.sources import LIBRARY, ROOT

PAGES = ROOT / "showcase_app" / "frontend" / "src"
LISTED = re.compile(r"\bstatus\s+(?:NOT\s+)?IN\s*\(\s*('[^)]*')\s*\)", re.IGNORECASE)


def words(statuses: Iterable[ExecutionStatus | StepStatus]) -> frozenset[str]:
    return frozenset(status.value for status in statuses)


MEANT = {
    "executions": words(ExecutionStatus),
    "executions that have not ended": words(each for each in ExecutionStatus if not each.is_terminal),
    "executions that have ended": words(each for each in ExecutionStatus if each.is_terminal),
    "executions that ended by themselves": frozenset({"completed", "failed"}),
    "executions that ended badly": frozenset({"failed", "cancelled"}),
    "executions that wait": words([ExecutionStatus.WAITING, ExecutionStatus.WAITING_FOR_HUMAN]),
    "executions that may end or wait before they have begun": words(
        [ExecutionStatus.PENDING, ExecutionStatus.WAITING, ExecutionStatus.CANCELLED, ExecutionStatus.FAILED]
    ),
    "executions that may have a time at which they go on": words(
        [ExecutionStatus.PENDING, ExecutionStatus.WAITING, ExecutionStatus.WAITING_FOR_HUMAN]
    ),
    "executions that a process has lost": frozenset({"running", "failed"}),
    "steps": words(StepStatus),
    "steps that have ended": words(each for each in StepStatus if each.is_terminal),
    "steps that somebody must go on with": frozenset({"pending", "running"}),
    "steps that wait": frozenset({"pending", "waiting"}),
    "questions": frozenset({"pending", "answered", "expired", "cancelled"}),
}
"""What a list of statuses in SQL may mean. A new status changes these, and each list that has to have it is found."""


def sql_files() -> list[Path]:
    return sorted((LIBRARY / "database").rglob("*.sql"))


def lists_in(path: Path) -> Iterator[frozenset[str]]:
    for found in LISTED.finditer(path.read_text("utf-8")):
        yield frozenset(re.findall(r"'(\w+)'", found[1]))


@pytest.mark.parametrize("path", sql_files(), ids=lambda path: path.relative_to(LIBRARY).as_posix())
def test_every_list_of_statuses_in_sql_is_whole(path: Path) -> None:
    strange = [sorted(listed) for listed in lists_in(path) if listed not in MEANT.values()]
    assert strange == []


def test_lists_of_statuses_are_found_in_sql() -> None:
    assert {listed for path in sql_files() for listed in lists_in(path)} >= {MEANT["executions"], MEANT["steps"]}


def test_the_pages_have_every_status_with_its_word_its_colour_and_its_icon() -> None:
    statuses = words(ExecutionStatus) | words(StepStatus)
    record = re.compile(r"Readonly<Record<(Status|ExecutionStatus), [^>]+>> = \{\n(.*?)\n\}", re.DOTALL)
    for file in ("domain/status.ts", "components/ui/status-badge.tsx"):
        for found in record.finditer((PAGES / file).read_text("utf-8")):
            names = frozenset(re.findall(r"^  (\w+):", found[2], re.MULTILINE))
            assert names == (statuses if found[1] == "Status" else words(ExecutionStatus))
    colours = re.findall(r"--ia-status-([\w-]+):", (PAGES / "app.css").read_text("utf-8"))
    assert frozenset(colour.replace("-", "_") for colour in colours) == statuses


def test_the_types_of_the_pages_have_every_status() -> None:
    types = (PAGES / "api" / "schema.gen.ts").read_text("utf-8")
    for name, statuses in (("ExecutionStatus", ExecutionStatus), ("StepStatus", StepStatus)):
        found = re.search(rf"^        {name}: ([^;]+);", types, re.MULTILINE)
        assert found is not None
        assert frozenset(re.findall(r'"(\w+)"', found[1])) == words(statuses)


def test_the_architecture_names_every_status() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    for begins, statuses in (("| execution |", ExecutionStatus), ("| step execution |", StepStatus)):
        line = next(line for line in text.splitlines() if line.startswith(begins))
        assert words(statuses) <= frozenset(re.findall(r"`(\w+)`", line))
