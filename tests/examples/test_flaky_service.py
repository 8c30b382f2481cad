import asyncio
import threading
from collections.abc import Generator
from typing import Any

import pytest

from examples.flaky_service import client
from examples.flaky_service.server import FlakyServer
from ia_modules.errors import StepError
from ia_modules.models import ExecutionStatus, StepStatus
from ia_modules.pipeline.runner import Runner, read_pipeline_file
from ia_modules.pipeline.step_modules import StepModules
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.examples.runs import EXAMPLES, Recorded, recorded_of, routes, run_example, taken

FOLDER = EXAMPLES / "flaky_service"


@pytest.fixture
def server() -> Generator[FlakyServer]:
    """The services, in threads of this process, until the test ends."""
    with FlakyServer() as server:
        yield server


def ends(recorded: Recorded, step_id: str) -> list[tuple[int, str, str | None]]:
    """Attempt, status and error of every attempt."""
    return [(step.attempt, step.status.value, step.error_type) for step in recorded.attempts(step_id)]


def following(recorded: Recorded, step_id: str) -> list[Any]:
    return [step.routes for step in recorded.attempts(step_id)]


async def test_the_execution_completes_although_services_fail(tracker: ExecutionTracker, server: FlakyServer) -> None:
    recorded = await run_example(tracker, "flaky_service", {"url": server.url})
    assert recorded.execution.status is ExecutionStatus.COMPLETED
    assert recorded.execution.failed_steps == 1
    assert recorded.output == {
        "ordered": True,
        "order": 1,
        "quote": {"available": True, "price_eur": 76.27, "rate_is_current": False, "stars": None, "days": 3},
        "orders": 1,
        "calls": {"articles": 1, "stock": 3, "rates": 1, "reviews": 2, "shipping": 1, "orders": 2, "calls": 1},
    }


async def test_a_busy_service_is_tried_again_after_growing_pauses(
    tracker: ExecutionTracker, server: FlakyServer
) -> None:
    recorded = await run_example(tracker, "flaky_service", {"url": server.url})
    first, second, third = recorded.attempts("stock")
    assert ends(recorded, "stock") == [
        (1, "failed", "ServiceBusy"),
        (2, "failed", "ServiceBusy"),
        (3, "completed", None),
    ]
    assert first.error_message == "GET /stock/kettle answered 503: too busy, try again"
    assert first.routes == {"next": "retry", "delay_seconds": 0.05}
    assert second.routes == {"next": "retry", "delay_seconds": 0.1}
    assert first.completed_at is not None
    assert second.started_at is not None
    assert first.completed_at <= second.started_at
    assert taken(third) == ["quote"]
    assert recorded.lines("stock") == ["GET /stock/kettle"] * 3 + ["7 in stock"]


async def test_a_service_that_hangs_is_given_up_and_fallen_back_from(
    tracker: ExecutionTracker, server: FlakyServer
) -> None:
    recorded = await run_example(tracker, "flaky_service", {"url": server.url})
    rates = recorded.step("rates")
    assert (rates.status, rates.error_type) == (StepStatus.COMPLETED, "StepTimeout")
    assert rates.output_data == {"eur_per_usd": 0.92, "is_current": False}
    assert "0.5" in (rates.error_message or "")
    assert recorded.lines("rates") == ["GET /rates", "going on with the last known rate"]


async def test_a_broken_service_is_gone_on_without(tracker: ExecutionTracker, server: FlakyServer) -> None:
    recorded = await run_example(tracker, "flaky_service", {"url": server.url})
    last = recorded.attempts("reviews")[-1]
    message = "GET /reviews/kettle answered 500: the reviews are broken"
    assert ends(recorded, "reviews") == [(1, "failed", "ServiceError"), (2, "failed", "ServiceError")]
    assert last.output_data == {"step_error": True, "error_message": message, "error_type": "ServiceError"}
    assert routes(last) == {
        "quote": (False, "the step failed"),
        "without_reviews": (True, "no other path was taken"),
    }
    assert recorded.results("without_reviews") == [{"stars": None, "because": message}]


async def test_an_order_whose_answer_was_lost_is_placed_once(tracker: ExecutionTracker, server: FlakyServer) -> None:
    recorded = await run_example(tracker, "flaky_service", {"url": server.url})
    key = f"{recorded.execution.execution_id}/place_order/1"
    ordered = {"sku": "kettle", "quantity": 2, "price_eur": 76.27}
    assert ends(recorded, "place_order") == [(1, "failed", "ConnectionResetError"), (2, "completed", None)]
    assert server.orders == {key: {"order": 1, "ordered": ordered}}
    assert server.calls["orders"] == 2


async def test_nothing_is_ordered_of_what_is_out_of_stock(tracker: ExecutionTracker, server: FlakyServer) -> None:
    recorded = await run_example(tracker, "flaky_service", {"url": server.url, "sku": "teapot"})
    assert recorded.output["ordered"] is False
    assert taken(recorded.attempts("quote")[-1]) == ["not_ordered"]
    assert recorded.attempts("place_order") == []
    assert server.orders == {}


async def test_it_runs_alone_and_stops_what_it_started(tracker: ExecutionTracker) -> None:
    recorded = await run_example(tracker, "flaky_service")
    assert recorded.output["ordered"] is True
    assert "the service of this execution is stopped" in recorded.lines("tally")
    assert StepModules(FOLDER).attribute("steps", "_own") == {}
    assert [thread for thread in threading.enumerate() if thread.name == "flaky-service" and thread.is_alive()] == []


async def test_executions_at_the_same_time_do_not_share_a_service(tracker: ExecutionTracker) -> None:
    one, other = await asyncio.gather(run_example(tracker, "flaky_service"), run_example(tracker, "flaky_service"))
    assert one.output["calls"] == other.output["calls"]
    assert one.output["order"] == other.output["order"] == 1


async def test_what_is_declared_nowhere_fails_the_execution(tracker: ExecutionTracker, server: FlakyServer) -> None:
    with pytest.raises(StepError, match="GET /articles/samovar answered 404") as failed:
        await run_example(tracker, "flaky_service", {"url": server.url, "sku": "samovar"})
    assert type(failed.value.__cause__).__name__ == "ServiceError"
    [execution] = await tracker.get_recent_executions()
    recorded = await recorded_of(tracker, execution.execution_id)
    assert recorded.execution.status is ExecutionStatus.FAILED
    assert ends(recorded, "article") == [(1, "failed", "ServiceError")]
    assert recorded.step("article").traceback is not None
    assert len(recorded.steps) == 1


async def test_a_failed_execution_goes_on_when_the_service_is_back(tracker: ExecutionTracker) -> None:
    with FlakyServer() as gone:
        port = int(gone.url.rpartition(":")[2])
    loaded = await read_pipeline_file(FOLDER / "pipeline.json")
    runner = Runner(tracker)
    started = await runner.start(loaded, {"url": f"http://127.0.0.1:{port}"})
    with pytest.raises(StepError, match="Step 'article' failed: ConnectionRefusedError"):
        await started.to_end()
    with FlakyServer(port) as server:
        resumed = await runner.resume(loaded, started.execution_id)
        result = await resumed.to_end()
        assert len(server.orders) == 1
    recorded = await recorded_of(tracker, started.execution_id)
    assert result["status"] == recorded.execution.status == ExecutionStatus.COMPLETED
    assert ends(recorded, "article") == [(1, "failed", "ConnectionRefusedError"), (2, "completed", None)]


async def test_a_call_says_what_the_service_answered(server: FlakyServer) -> None:
    with pytest.raises(client.ServiceError, match="GET /nothing answered 404: there is no /nothing") as failed:
        await client.call("GET", f"{server.url}/nothing", key="k")
    assert failed.value.status == 404
    with pytest.raises(client.ServiceError, match="POST /orders answered 400"):
        await client.call("POST", f"{server.url}/orders", key="", body={})
    with pytest.raises(client.ServiceBusy):
        await client.call("GET", f"{server.url}/stock/kettle", key="k")
    assert await client.call("GET", f"{server.url}/articles/kettle", key="k") == {"sku": "kettle", "price_usd": 39.0}
