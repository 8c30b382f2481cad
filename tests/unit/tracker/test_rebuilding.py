"""Every door to an execution gives the output that its row only refers to."""

import orjson
import pytest

from ia_modules import Client, Flow
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import StepConflict
from ia_modules.tracker.details import INLINE_BYTES, read_execution, read_payloads
from ia_modules.tracker.export import export_execution

TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'search_%'",
    "postgresql": "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'",
}
SECRET = "a result that stands nowhere else"


def flow_of(size: int = 0) -> Flow:
    flow = Flow("Stored once")

    @flow.step
    def first(data: dict[str, int]) -> dict[str, str]:
        return {"text": SECRET, "rest": "x" * size}

    @flow.step
    def second(data: dict[str, str]) -> dict[str, int]:
        return {"seen": len(data["text"]), "n": 1}

    first >> second  # pyright: ignore[reportUnusedExpression]
    return flow


async def test_each_result_is_stored_once(database: DatabaseManager) -> None:
    async with Client(database) as client:
        await client.run(flow_of(), {"given": 1})
        cells: list[str] = []
        for table in await database.fetch_all_async(TABLES[database.dialect]):
            for row in await database.fetch_all_async(f"SELECT * FROM {table['name']}"):
                cells += [str(value) for value in row.values()]
    assert sum(cell.count(SECRET) for cell in cells) == 1


@pytest.mark.parametrize("size", [0, INLINE_BYTES])
async def test_every_door_gives_the_same_output(database: DatabaseManager, size: int) -> None:
    expected = {
        "given": 1,
        "text": SECRET,
        "rest": "x" * size,
        "seen": len(SECRET),
        "n": 1,
        "first": {"text": SECRET, "rest": "x" * size},
        "second": {"seen": len(SECRET), "n": 1},
    }
    text = orjson.dumps(expected)
    async with Client(database) as client:
        result = await client.run(flow_of(size), {"given": 1})
        execution_id = result["execution_id"]
        doors = [
            result["output"],
            (await client.execution(execution_id)).output_data,
            (await client.result(execution_id))["output"],
            (await client.tracker.wait(execution_id)).output_data,
        ]
        assert [orjson.dumps(output) for output in doors] == [text] * len(doors)
        detail = (await read_execution(database, execution_id, step_limit=9, rerun_limit=1)).execution
        assert detail.sizes["output_bytes"] == len(text)
        if size:
            assert (detail.omitted, orjson.dumps(detail.payloads["output_data"])) == (["output_data"], b"null")
        else:
            assert (detail.omitted, orjson.dumps(detail.payloads["output_data"])) == ([], text)
        _, payloads = await read_payloads(database, execution_id)
        assert orjson.dumps(payloads["output_data"]) == text
        exported = b"".join([part async for part in export_execution(database, execution_id)])
        assert b'"output_data":' + text in exported
        row = await database.fetch_one_async("SELECT output_data, output_refs FROM pipeline_executions")
    assert row is not None
    assert (row["output_data"], orjson.loads(row["output_refs"])) == (None, {"bytes": len(text)})


async def test_rows_that_somebody_changed_are_not_made_into_another_output(database: DatabaseManager) -> None:
    async with Client(database) as client:
        result = await client.run(flow_of(), {"given": 1})
        await database.execute_async("DELETE FROM step_executions WHERE step_id = 'first'")
        with pytest.raises(StepConflict):
            await client.execution(result["execution_id"])
