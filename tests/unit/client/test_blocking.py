"""Every verb of the client without an event loop, on one that runs in a thread meanwhile."""

import inspect
import threading
from pathlib import Path
from typing import Any

import pytest

from ia_modules import Client, Flow
from ia_modules.client.blocking import Blocking
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import BlockingCallOnLoop, DatabaseUnavailable, ExecutionNotFound
from ia_modules.tracker.execution_tracker import ExecutionTracker


def test_its_verbs_need_no_await(database_url: str, file: Path, tmp_path: Path) -> None:
    with Client(database_url, actor="ann") as client:
        result = client.run(file, {"n": 21})
        assert (result["status"], result["output"]["n"]) == ("completed", 42)
        execution_id = result["execution_id"]
        assert client.wait(execution_id).output_data["n"] == 42
        [step] = client.steps(execution_id)
        assert step.output_data == {"n": 42}
        assert [line.message for line in client.logs(execution_id)] == ["doubling"]
        assert [changes.execution.status.value for changes in client.follow(execution_id)][-1] == "completed"
        assert b"".join(client.export(execution_id)).startswith(b"{")
        assert [item.execution_id for item in client.executions().items] == [execution_id]
        queued = client.queue(file, {"n": 1})
        assert client.cancel(queued.execution_id).status.value == "cancelled"
        assert client.actor == "ann"
        with pytest.raises(ExecutionNotFound):
            client.execution("nothing")


def test_what_is_started_is_run_to_its_end_without_await(database_url: str, file: Path) -> None:
    with Client(database_url) as client:
        started = client.start(file, {"n": 4})
        assert client.summary(started.execution_id).status.value == "running"
        assert started.to_end()["output"]["n"] == 8


def test_its_tracker_records_without_await(database_url: str) -> None:
    with Client(database_url) as client:
        pipeline = client.tracker.register_pipeline("by hand", "By hand")
        with client.tracker.execution(pipeline) as execution, execution.step("load") as step:
            step.output = 3
        assert client.execution(execution.id).status.value == "completed"


def test_reading_that_is_left_early_is_ended(database_url: str, file: Path) -> None:
    with Client(database_url) as client:
        queued = client.queue(file, {"n": 1})
        pages = client.follow(queued.execution_id)
        assert next(pages).execution.status.value == "pending"
        pages.close()
        with pytest.raises(TimeoutError):
            client.wait(queued.execution_id, timeout_seconds=0.05)


def test_nothing_of_it_is_left_at_the_end(database_url: str, file: Path) -> None:
    before = set(threading.enumerate())
    with Client(database_url) as client:
        client.run(file, {"n": 1})
    assert {thread.name for thread in set(threading.enumerate()) - before if thread.name.startswith("ia-")} == set()


def test_a_database_that_cannot_be_opened_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with pytest.raises(DatabaseUnavailable), Client(f"sqlite:///{tmp_path / 'no' / 'folder.db'}"):
        pass
    assert {thread.name for thread in set(threading.enumerate()) - before if thread.name.startswith("ia-")} == set()


def test_what_the_caller_opened_stays_open(database_url: str, file: Path) -> None:
    with DatabaseManager(database_url) as database:
        for _ in range(2):
            with Client(database) as client:
                client.run(file, {"n": 1})
        [row] = database.fetch_all("SELECT count(*) AS executions FROM pipeline_executions")
    assert row["executions"] == 2


async def test_on_a_running_loop_it_names_what_to_await(database: DatabaseManager) -> None:
    with pytest.raises(BlockingCallOnLoop, match=r"^with Client\(\.\.\.\) was called .* Use: async with Client"):
        Client(database).__enter__()
    async with Client(database) as client:
        door = Blocking(client, "client", client.tracker.call)
        with pytest.raises(BlockingCallOnLoop, match=r"Use: await client\.run\(\)"):
            door.run("nightly")
        with pytest.raises(BlockingCallOnLoop, match=r"Use: await client\.tracker\.register_pipeline\(\)"):
            door.tracker.register_pipeline("a", "A")


def test_it_shows_what_is_public_and_nothing_else(database_url: str) -> None:
    with Client(database_url) as client:
        public = {name for name in dir(Client) if not name.startswith("_")}
        assert public <= set(dir(client))
        assert inspect.getdoc(client.rerun) == inspect.getdoc(Client.rerun)
        assert repr(client).startswith("Blocking(<ia_modules.client")
        for wrong in ("_audit", "nothing"):
            with pytest.raises(AttributeError, match=wrong):
                getattr(client, wrong)


def test_a_flow_runs_without_await(database_url: str) -> None:
    flow = Flow("Double")

    @flow.step
    def double(data: dict[str, Any]) -> dict[str, Any]:
        return {"n": 2 * data["n"]}

    assert flow.run_sync({"n": 4})["output"]["n"] == 8
    with DatabaseManager(database_url) as database:
        tracker = ExecutionTracker(database)
        services = {"execution_tracker": tracker}
        from ia_modules import ServiceRegistry

        first = flow.run_sync({"n": 4}, ServiceRegistry(services))
        pipeline = tracker.call(tracker.register_pipeline("by hand", "By hand"))
        with tracker.execution(pipeline) as execution:
            second = flow.run_sync({"n": 5}, ServiceRegistry(services))
        for execution_id in (first["execution_id"], second["execution_id"], execution.id):
            record = tracker.call(tracker.get_execution(execution_id))
            assert record is not None
            assert record.status.value == "completed"
        tracker.call(tracker.close())


async def test_in_a_notebook_a_flow_names_what_to_await() -> None:
    with pytest.raises(BlockingCallOnLoop, match=r"^flow\.run_sync\(\) was called .* Use: await flow\.run\(\)\."):
        Flow("Double").run_sync()
