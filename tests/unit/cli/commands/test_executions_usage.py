"""What calls of models used, on the command line."""

import asyncio
import json

from ia_modules.database.manager import DatabaseManager
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.unit.cli.conftest import Command
from tests.unit.tracker.used import call, execution_that_used


def recorded(database_url: str) -> tuple[str, str, str]:
    """A cheap one with a call without a price, a dear one, and one without usage."""

    async def record() -> tuple[str, str, str]:
        async with DatabaseManager(database_url) as database, ExecutionTracker(database) as tracker:
            pipeline_id = await tracker.register_pipeline("nightly", "Nightly import")
            cheap = await execution_that_used(tracker, pipeline_id, [call("m", 1_200, 1_500_000), call("new", 10)])
            dear = await execution_that_used(tracker, pipeline_id, [call("m", 1_000, 2_000_000, provider="p")])
            return cheap, dear, await tracker.start_execution(pipeline_id)

    return asyncio.run(record())


def test_a_list_has_tokens_and_cost_and_may_be_in_their_order(command: Command, database_url: str) -> None:
    cheap, dear, plain = recorded(database_url)
    header, *lines = command("executions", "list").stdout.splitlines()
    assert header.split() == ["ID", "STATUS", "PIPELINE", "STEPS", "STARTED", "TOOK", "TOKENS", "COST", "(USD)", "WHY"]
    assert [line.split()[0] for line in lines] == [plain, dear, cheap]
    _, *by_cost = command("executions", "list", "--sort", "cost").stdout.splitlines()
    assert [line.split()[0] for line in by_cost] == [dear, cheap]
    assert "1,000 in, 100 out" in by_cost[0]
    assert "2.00" in by_cost[0]
    assert "1.50 + ?" in by_cost[1]
    some = command("executions", "list", "--sort", "cost", "--limit", "1").stdout.splitlines()
    cursor = some[-1].removeprefix("More: --cursor ")
    assert cheap in command("executions", "list", "--sort", "cost", "--cursor", cursor).stdout
    assert command("executions", "list", "--sort", "cheapest").exit_code == 2


def test_show_has_what_was_used_by_model_and_what_has_no_price(command: Command, database_url: str) -> None:
    cheap, _, plain = recorded(database_url)
    shown = command("executions", "show", cheap).stdout
    assert "tokens    1,210 in, 121 out" in shown
    assert "cost      1.50 USD, 1 call has no price" in shown
    assert "models    m: 1 call, 1,200 in, 120 out, 1.50 USD" in shown
    assert "new: 1 call, 10 in, 1 out, no price" in shown
    found = json.loads(command("executions", "show", cheap, "--json").stdout)
    assert [each["model"] for each in found["usage"]["models"]] == ["m", "new"]
    assert found["steps"][0]["unpriced_calls"] == 1
    assert "tokens" not in command("executions", "show", plain).stdout
    assert json.loads(command("executions", "show", plain, "--json").stdout)["usage"] is None
