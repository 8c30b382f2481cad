import asyncio
import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import BlockingCallOnLoop, FileRefused, InvalidArgument, PipelineDefinitionError, ServiceNotFound
from ia_modules.pipeline.allowed_code import AllowedCode
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.testing import Replay, replay, replay_async
from ia_modules.testing.replaying import ReplayedRun, SkippedRun
from ia_modules.tracker.run_file_writing import write_run_file
from tests.unit.run_files import record_run

CODE = {
    "pure_steps": """
from ia_modules.pipeline.core import Step


def double(data):
    return {"n": data["n"] * 2}


class Fails(Step):
    def run(self, data):
        raise ValueError(f"bad {data['n']}")


class Asks(Step):
    def run(self, data):
        return {"rate": self.services["rates"], "factor": self.config["factor"]}
""",
    "writing_steps": """
import pathlib

(pathlib.Path(__file__).parent / "imported").touch()


def store(data):
    (pathlib.Path(__file__).parent / "written").touch()
    return {"stored": data["n"]}
""",
}


def definition() -> dict[str, Any]:
    step = {"module": "pure_steps", "effect": "pure"}
    return {
        "name": "Rates",
        "slug": "rates",
        "parameters": [{"name": "n"}, {"name": "factor", "default": 3}],
        "steps": [
            {"id": "double", "step_class": "double", **step, "inputs": [{"name": "n", "source": "{parameters.n}"}]},
            {"id": "again", "step_class": "double", **step},
            {"id": "fails", "step_class": "Fails", **step, "error_handling": {"continue_on_error": True}},
            {
                "id": "asks",
                "step_class": "Asks",
                "module": "pure_steps",
                "effect": "read",
                "config": {"factor": "{{ parameters.factor }}"},
            },
            {"id": "store", "step_class": "store", "module": "writing_steps", "effect": "write"},
        ],
        "flow": {
            "start_at": "double",
            "paths": [
                {"from": "double", "to": "again"},
                {"from": "again", "to": "fails"},
                {"from": "fails", "to": "asks", "condition": "always"},
                {"from": "asks", "to": "store"},
            ],
        },
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "beside"
    folder.mkdir()
    for name, code in CODE.items():
        (folder / f"{name}.py").write_text(code)
    (folder / "rates.json").write_text(json.dumps(definition()))
    return folder


@pytest.fixture
async def run(tmp_path: Path, folder: Path) -> Path:
    """A run with steps of every effect."""
    services = ServiceRegistry({"rates": 7})
    async with (
        DatabaseManager(f"sqlite:///{tmp_path / 'ia.db'}") as database,
        Client(database, services=services, allowed=AllowedCode()) as client,
    ):
        result = await client.run(folder / "rates.json", {"n": 2})
        await write_run_file(database, result["execution_id"], tmp_path / "run.iarun", actor="ann")
    assert (folder / "written").exists()
    for name in ("imported", "written"):
        (folder / name).unlink()
    return tmp_path / "run.iarun"


@pytest.fixture(autouse=True)
def nothing_is_written(folder: Path) -> Generator[None]:
    """Whatever a test replays: the step that writes is never called, nor is its module imported."""
    yield
    assert not (folder / "written").exists()


async def test_by_default_the_pure_steps_run_on_their_recorded_input(run: Path, folder: Path) -> None:
    report = await replay_async(run, folder=folder)
    report.assert_same()
    assert [(each.step_run, each.replayed) for each in report.replayed] == [
        ("double#1", {"n": 4}),
        ("again#1", {"n": 8}),
        ("fails#1", {"step_error": True, "error_message": "bad 8", "error_type": "ValueError"}),
    ]
    assert report.left_out == [
        SkippedRun(step_run="asks", reason="its effect is not pure (read)"),
        SkippedRun(step_run="store", reason="its effect is not pure (write)"),
    ]
    assert not (folder / "imported").exists()


async def test_what_gives_something_else_now_is_told(run: Path, folder: Path) -> None:
    changed = CODE["pure_steps"].replace('data["n"] * 2', 'data["n"] * 3').replace("bad", "worse")
    (folder / "pure_steps.py").write_text(changed)
    report = await replay_async(run, folder=folder)
    assert [each.step_run for each in report.differences] == ["double#1", "again#1", "fails#1"]
    with pytest.raises(AssertionError) as failed:
        report.assert_same()
    assert str(failed.value).splitlines()[:4] == [
        "0 of 3 step runs gave what is on record.",
        "double#1",
        '  on record: {"n":4}',
        '  now:       {"n":6}',
    ]
    assert "left out: store (its effect is not pure (write))" in str(failed.value)


async def test_named_steps_run_with_the_services_of_the_test_alone(run: Path, folder: Path) -> None:
    report = await replay_async(run, steps=["asks"], services={"rates": 7}, folder=folder)
    report.assert_same()
    assert report.replayed[0].recorded == {"rate": 7, "factor": 3}
    without = await replay_async(run, steps=["asks"], folder=folder)
    assert str(without.differences[0].replayed).startswith("ServiceNotFound: ")
    assert ServiceNotFound.__name__ in str(without)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("store", "'store', whose effect is write; expected one that changes nothing"),
        ("nothing", "found 'nothing'; expected one that has code: double, again, fails, asks, store"),
    ],
)
async def test_a_step_that_writes_is_never_called_whoever_names_it(
    run: Path, folder: Path, step: str, message: str
) -> None:
    with pytest.raises(InvalidArgument, match=message):
        await replay_async(run, steps=["double", step], folder=folder)


async def test_a_test_in_which_nothing_was_replayed_fails(run: Path, folder: Path) -> None:
    report = await replay_async(run, steps=[], folder=folder)
    assert report.replayed == []
    with pytest.raises(AssertionError, match="0 of 0 step runs"):
        report.assert_same()


async def test_code_that_is_not_there_is_named(run: Path) -> None:
    with pytest.raises(PipelineDefinitionError, match="pure_steps"):
        await replay_async(run)


async def test_on_a_loop_it_is_awaited(run: Path) -> None:
    with pytest.raises(BlockingCallOnLoop, match="replay_async"):
        replay(run)


async def test_a_file_without_payloads_cannot_be_replayed(tmp_path: Path, folder: Path) -> None:
    async with DatabaseManager("sqlite:///:memory:") as database:
        execution_id = await record_run(database, tmp_path)
        await write_run_file(database, execution_id, tmp_path / "less.iarun", left_out=("payloads",), actor="ann")
    with pytest.raises(InvalidArgument, match="found one without payloads"):
        await replay_async(tmp_path / "less.iarun", folder=folder)
    (tmp_path / "none.iarun").write_text("{}")
    with pytest.raises(FileRefused):
        await replay_async(tmp_path / "none.iarun", folder=folder)


async def test_a_step_that_was_tried_again_is_compared_with_its_last_attempt(tmp_path: Path) -> None:
    async with DatabaseManager("sqlite:///:memory:") as database:
        execution_id = await record_run(database, tmp_path)
        await write_run_file(database, execution_id, tmp_path / "run.iarun", actor="ann")
    report = await replay_async(tmp_path / "run.iarun", steps=["score"], folder=tmp_path)
    assert report.replayed == [ReplayedRun(step_run="score#1", recorded={"score": 6}, replayed={"score": 6})]
    assert [each.step_run for each in report.left_out] == ["fetch", "ask", "store"]


INNER = """
import pathlib

from ia_modules import Step


def ask(question):
    with (pathlib.Path(__file__).parent / "asked").open("a") as asked:
        asked.write(question)
    return question.upper()


class Think(Step):
    async def run(self, data):
        async def twice(question):
            return [await self.context.step("ask", ask, question), self.config.get("changed")]

        return {"said": await self.context.step("twice", twice, "a"), "also": await self.context.step("ask", ask, "b")}
"""


async def test_what_a_step_calls_within_itself_is_answered_from_the_record(tmp_path: Path) -> None:
    (tmp_path / "inner_steps.py").write_text(INNER)
    written = {
        "name": "Thinks",
        "steps": [{"id": "think", "step_class": "Think", "module": "inner_steps", "effect": "pure"}],
        "flow": {"start_at": "think", "paths": []},
    }
    (tmp_path / "thinks.json").write_text(json.dumps(written))
    async with DatabaseManager("sqlite:///:memory:") as database, Client(database) as client:
        result = await client.run(tmp_path / "thinks.json")
        await write_run_file(database, result["execution_id"], tmp_path / "thinks.iarun", actor="ann")
    report = await replay_async(tmp_path / "thinks.iarun", folder=tmp_path)
    report.assert_same()
    assert [each.replayed for each in report.replayed] == [{"said": ["A", None], "also": "B"}]
    assert (tmp_path / "asked").read_text() == "ab"  # and not once more


def test_numbers_that_are_written_in_another_way_are_two_values() -> None:
    assert ReplayedRun(step_run="a#1", recorded={"a": 1, "b": 2}, replayed={"b": 2, "a": 1}).is_same
    assert not ReplayedRun(step_run="a#1", recorded={"a": 1}, replayed={"a": 1.0}).is_same
    assert Replay(replayed=[ReplayedRun(step_run="a#1", recorded=1, replayed=2)], left_out=[]).differences


def test_it_needs_no_event_loop(run_sync: Path, folder: Path) -> None:
    replay(run_sync, folder=folder).assert_same()


@pytest.fixture
def run_sync(tmp_path: Path, folder: Path) -> Path:
    async def record() -> None:
        async with (
            DatabaseManager(f"sqlite:///{tmp_path / 'ia.db'}") as database,
            Client(database, services=ServiceRegistry({"rates": 7}), allowed=AllowedCode()) as client,
        ):
            result = await client.run(folder / "rates.json", {"n": 2})
            await write_run_file(database, result["execution_id"], tmp_path / "run.iarun", actor="ann")

    asyncio.run(record())
    (folder / "written").unlink()
    return tmp_path / "run.iarun"
