"""Run files over HTTP: taken along and taken in."""

import base64
from pathlib import Path

import httpx

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.pipeline.allowed_code import AllowedCode
from ia_modules.tracker.run_file_reading import checked
from ia_modules.tracker.run_file_writing import write_run_file
from showcase_app.backend.settings import ApiKey, Role
from tests.showcase.asking import read
from tests.showcase.server import Server, running
from tests.unit.run_files import MODULE, pipeline_file, record_run

MIB = 2**20


def in_base64(content: bytes) -> dict[str, str]:
    return {"run_file": base64.b64encode(content).decode()}


async def test_an_execution_is_taken_along_as_a_file_and_that_is_on_record(
    idle: httpx.AsyncClient, database: DatabaseManager, tmp_path: Path
) -> None:
    execution_id = await record_run(database, tmp_path)
    answer = await idle.get(f"/api/executions/{execution_id}/run-file")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/vnd.sqlite3")
    assert answer.headers["content-disposition"] == f'attachment; filename="execution-{execution_id}.iarun"'
    path = tmp_path / "run.iarun"
    path.write_bytes(answer.content)
    contents, _ = checked(path)
    assert (contents.execution_id, contents.left_out) == (execution_id, ())
    assert answer.headers["rows-sha256"] == contents.rows_sha256
    plan = await read(idle, f"/api/executions/{execution_id}/run-file/plan", without="logs", lineage="true")
    assert plan == {
        "execution_id": execution_id,
        "runs": "1 run",
        "inside": "inputs and outputs, in full, and no log lines; 1 question with who answered",
    }
    less = await idle.get(f"/api/executions/{execution_id}/run-file", params={"without": ["payloads", "logs"]})
    path.write_bytes(less.content)
    assert checked(path)[0].left_out == ("payloads", "logs")
    [first, _] = await database.fetch_all_async("SELECT actor FROM audit_log WHERE action = 'execution.export'")
    assert first["actor"] == "local"
    assert (await idle.get("/api/executions/nobody/run-file")).status_code == 404


async def test_a_file_is_taken_in_once_and_what_is_none_is_refused_in_words(
    idle: httpx.AsyncClient, database: DatabaseManager, tmp_path: Path
) -> None:
    async with DatabaseManager(f"sqlite:///{tmp_path / 'source.db'}") as source:
        execution_id = await record_run(source, tmp_path)
        contents = await write_run_file(source, execution_id, tmp_path / "run.iarun", actor="ann")
    body = in_base64((tmp_path / "run.iarun").read_bytes())
    refused = await idle.post("/api/executions/import", json=body)
    assert refused.status_code == 422
    assert f"'{MODULE}', which is not among the modules that may be used here" in refused.json()["detail"]
    await database.execute_async("DELETE FROM pipelines")
    async with Client(database) as client:
        await client.register(pipeline_file(tmp_path))
    taken = await idle.post("/api/executions/import", json=body)
    assert taken.json() == {
        "execution_id": execution_id,
        "imported": [execution_id],
        "already_here": [],
        "went_on": [],
        "lost_aliases": [],
        "rows_sha256": contents.rows_sha256,
        "inside": contents.inside,
    }
    again = (await idle.post("/api/executions/import", json=body)).json()
    assert (again["imported"], again["already_here"]) == ([], [execution_id])
    assert (await read(idle, f"/api/executions/{execution_id}"))["status"] == "completed"
    resumed = await idle.post(f"/api/executions/{execution_id}/resume", json={})
    assert resumed.status_code == 409
    for wrong, detail in (
        (in_base64(b"{}"), "The file that was sent cannot be used: it is no SQLite file"),
        (
            in_base64((tmp_path / "run.iarun").read_bytes()[:-4096]),
            "The file that was sent cannot be used: it is damaged",
        ),
        ({"run_file": "no base64!"}, "expected base64"),
    ):
        answer = await idle.post("/api/executions/import", json=wrong)
        assert answer.status_code == 422
        assert detail in answer.json()["detail"]
        assert "/tmp" not in answer.json()["detail"]


async def test_a_file_of_24_mib_is_taken_in_and_a_larger_one_is_not_read(
    idle: httpx.AsyncClient, database: DatabaseManager, tmp_path: Path
) -> None:
    texts = ["ä" * (6 * MIB), "x" * (12 * MIB - 600_000)]
    async with Client(f"sqlite:///{tmp_path / 'source.db'}", allowed=AllowedCode()) as there:
        first = (await there.queue(pipeline_file(tmp_path), {"text": texts[0]})).execution_id
        again = await there.rerun(first, input_data={"text": texts[1]})
        await there.export_run(again, tmp_path / "run.iarun", lineage=True)
    content = (tmp_path / "run.iarun").read_bytes()
    assert 23 * MIB < len(content) <= 24 * MIB
    async with Client(database) as here:
        await here.register(pipeline_file(tmp_path))
        taken = await idle.post("/api/executions/import", json=in_base64(content))
        assert (taken.status_code, taken.json()["imported"]) == (200, [first, again])
        assert [(await here.execution(each)).input_data for each in (first, again)] == [
            {"text": text} for text in texts
        ]
    for size, status in ((24 * MIB, 422), (24 * MIB + 2**10, 413)):
        refused = await idle.post("/api/executions/import", json=in_base64(bytes(size)))
        assert refused.status_code == status, refused.text


async def test_only_operators_take_a_file_in(database_url: str, tmp_path: Path) -> None:
    keys = tuple(ApiKey(name=role, role=role, key=f"a-key-of-a-{role}-0123") for role in Role)
    with running(Server(database_url, slots=0, keys=keys)) as server:
        async with server.client() as api:
            for key in keys:
                headers = {"Authorization": f"Bearer {key.key}"}
                answer = await api.post("/api/executions/import", json=in_base64(b"{}"), headers=headers)
                assert answer.status_code == (422 if key.role is Role.OPERATOR else 403)
