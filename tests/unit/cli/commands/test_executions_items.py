"""``executions items``, and what ``executions show`` says of what is within a step."""

import asyncio
import json
from pathlib import Path

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionId
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.unit.cli.conftest import Command, report


@pytest.fixture
def execution_id(database_url: str) -> ExecutionId:
    """A step with eight calls, of which six failed, and one within the first; and a step that has nothing within it."""
    return asyncio.run(_record(database_url))


async def _record(database_url: str) -> ExecutionId:
    async with DatabaseManager(database_url) as database, ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("nightly", "Nightly import")
        async with tracker.execution(pipeline_id) as execution:
            async with execution.step("look ups"):
                async with execution.step("ask", name="Ask the oracle") as ask, execution.step("cache") as cache:
                    cache.output = 1
                ask.output = 2
                for number in range(6):
                    try:
                        async with execution.step(f"fetch-{number}"):
                            raise OSError(f"no answer {number}")
                    except OSError:
                        pass
            async with execution.step("plain"):
                pass
        return execution.id


def lines(command: Command, *arguments: str) -> list[str]:
    result = command("executions", "items", *arguments)
    assert result.exit_code == 0, result.output
    return [" ".join(line.split()) for line in result.stdout.splitlines()]


def test_a_report_says_of_each_step_what_is_within_it_and_the_first_failures(
    command: Command, execution_id: ExecutionId
) -> None:
    found = report(command)
    start = found.index("within 7 runs: 1 completed, 6 failed")
    assert found[start + 1 : start + 6] == [f"fetch-{n}#1 failed: OSError: no answer {n}" for n in range(5)]
    assert found[start + 6] == f"and 1 more: ia-modules executions items {execution_id} 'look ups' --failed"
    assert sum(line.startswith("within") for line in found) == 1
    shown = json.loads(command("executions", "show", "--json").stdout)
    [level] = shown["levels"]
    assert (level["within"], level["by_status"]) == ("look ups#1", {"completed": 1, "failed": 6})
    assert [each["step_id"] for each in level["failed"]] == [f"fetch-{n}" for n in range(5)]


def test_what_is_within_a_step_is_listed_in_pages_and_by_what_failed(
    command: Command, execution_id: ExecutionId
) -> None:
    every = lines(command, execution_id, "look ups")
    assert every[0] == "Within look ups#1: 7 runs: 1 completed, 6 failed"
    assert every[1] == "RUN STATUS NAME ATTEMPTS TOOK WHY"
    assert every[2].startswith("look ups#1/ask#1 completed Ask the oracle 1 ")
    assert every[3].startswith("look ups#1/fetch-0#1 failed 1 ")
    assert every[3].endswith(" OSError: no answer 0")
    assert len(every) == 9
    page = lines(command, execution_id, "look ups", "--failed", "--limit", "2")
    assert [line.split()[1] for line in page[2:4]] == ["ups#1/fetch-0#1", "ups#1/fetch-1#1"]
    assert page[4] == "More: --after 1:fetch-1"
    rest = lines(command, execution_id, "look ups", "--failed", "--after", "1:fetch-1")
    assert [line.split()[1] for line in rest[1:]] == [f"ups#1/fetch-{n}#1" for n in (2, 3, 4, 5)]
    assert lines(command, execution_id, "look ups", "--text", "ORACLE", "--iteration", "1")[2].startswith("look ups#1")
    assert lines(command, execution_id, "look ups", "--text", "nobody")[1:] == ["None of them is like that."]
    as_json = json.loads(command("executions", "items", execution_id, "look ups", "--failed", "--json").stdout)
    assert (as_json["within"], len(as_json["items"]), as_json["next_cursor"]) == ("look ups#1", 6, None)


def test_a_path_leads_deeper(command: Command, execution_id: ExecutionId) -> None:
    [_, _, only] = lines(command, execution_id, "look ups#1/ask#1")
    assert only.startswith("look ups#1/ask#1/cache#1 completed 1 ")
    assert lines(command, execution_id, "plain") == ["Within plain#1: nothing"]
    assert lines(command, execution_id, "no#1/such#2") == ["Within no#1/such#2: nothing"]


def test_a_step_that_is_none_is_refused_with_those_that_there_are(command: Command, execution_id: ExecutionId) -> None:
    for arguments, words in (
        (["lookups"], "has no step 'lookups' on record; it has: look ups, plain."),
        (["plain", "--iteration", "2"], "Step 'plain' has no iteration 2 on record; its newest is 1."),
        (["plain", "--after", "x"], "next_cursor of a page of runs"),
    ):
        result = command("executions", "items", execution_id, *arguments)
        assert result.exit_code == 1
        assert words in result.stderr


def test_it_makes_no_database(nowhere: Command, tmp_path: Path) -> None:
    assert nowhere("executions", "items", "1", "a").exit_code == 1
    assert [*tmp_path.iterdir()] == []
