import asyncio
import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import PipelineId
from ia_modules.pipeline.allowed_code import MODULES_VARIABLE
from ia_modules.pipeline.loader import load
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.showcase.server import Server, receive, running

STEPS = "tests.showcase.steps"
Definition = dict[str, Any]


@pytest.fixture
def server(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Generator[Server]:
    """A server that allows the module of these tests, and runs nothing by itself."""
    monkeypatch.setenv(MODULES_VARIABLE, STEPS)
    with running(Server(database_url, slots=0)) as server:
        yield server


def greeting(**changes: Any) -> Definition:
    return {
        "name": "Greeting",
        "slug": "greeting",
        "description": "Says hello.",
        "parameters": [
            {"name": "who", "schema": {"type": "string"}, "required": True},
            {"name": "times", "schema": {"type": "integer", "minimum": 1}, "default": 1},
        ],
        "steps": [{"id": "greet", "module": STEPS, "step_class": "greet"}],
        "flow": {"start_at": "greet", "paths": []},
        **changes,
    }


async def stored(api: httpx.AsyncClient, definition: Definition) -> dict[str, Any]:
    answer = await api.post("/api/pipelines", json={"definition": definition})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/api/pipelines/{answer.json()['id']}"
    return answer.json()


async def started(
    api: httpx.AsyncClient, input_data: Any, *, key: str | None = None, slug: str = "greeting", **body: Any
) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    body = {"input_data": input_data, **body}
    return await api.post(f"/api/pipelines/{slug}/executions", json=body, headers=headers)


def fields(answer: httpx.Response) -> dict[str, str]:
    """What a refusal says of each field of the body."""
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert {error["location"] for error in answer.json()["errors"]} == {"body"}
    return {error["field"]: error["detail"] for error in answer.json()["errors"]}


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["type"].removeprefix("urn:ia-modules:")


async def test_a_pipeline_is_stored_and_read_by_id_and_by_slug(api: httpx.AsyncClient) -> None:
    made = await stored(api, greeting())

    assert (made["version"], made["current_version"], made["runnable"], made["step_count"]) == (1, 1, True, 1)
    assert made["input_schema"]["properties"] == {"who": {"type": "string"}, "times": {"type": "integer", "minimum": 1}}
    assert (made["default_input"], made["last_input"]) == ({"times": 1}, None)
    assert made["definition"]["steps"][0]["step_class"] == "greet"
    assert made["source_folder_known"] is False
    for name in (made["id"], "greeting"):
        assert (await api.get(f"/api/pipelines/{name}")).json() == made
    assert await stored(api, greeting()) == made | {
        "updated_at": (await api.get("/api/pipelines/greeting")).json()["updated_at"]
    }


async def test_every_number_and_key_comes_back_as_it_was_written(api: httpx.AsyncClient) -> None:
    value = '{"__proto__":0,"least":-9223372036854775808,"low":1e-7,"most":18446744073709551615,"one":1.0,"zero":-0.0}'
    parameters: list[Definition] = [{"name": "value", "schema": {"const": "VALUE"}, "default": "VALUE"}]
    definition = json.dumps(greeting(parameters=parameters), separators=(",", ":")).replace('"VALUE"', value)

    async def post(path: str, body: str) -> dict[str, Any]:
        answer = await api.post(path, content=body, headers={"content-type": "application/json"})
        assert answer.is_success, answer.text
        return answer.json()

    await post("/api/pipelines", f'{{"definition": {definition}}}')
    begun = await post("/api/pipelines/greeting/executions", f'{{"input_data": {{"value": {value}}}}}')

    pipeline = (await api.get("/api/pipelines/greeting")).text
    assert f'"last_input":{{"value":{value}}}' in pipeline
    # The canonical form of a definition, which is what is stored, has no fraction where there is none.
    canonical = value.replace("1.0", "1").replace("-0.0", "0")
    assert pipeline.count(canonical) == 4  # twice in the definition, and in input_schema and default_input
    for part in (f'"const":{canonical}', f'"default_input":{{"value":{canonical}}}'):
        assert part in pipeline
    execution = (await api.get(f"/api/executions/{begun['execution_id']}")).text
    assert f'"input_data":{{"value":{value}}}' in execution


async def test_a_slug_that_stands_for_another_definition_is_refused(api: httpx.AsyncClient) -> None:
    await stored(api, greeting())
    answer = await api.post("/api/pipelines", json={"definition": greeting(description="Says goodbye.")})
    assert refusal(answer) == (409, "pipeline-exists")
    assert "PUT /api/pipelines/greeting" in answer.json()["detail"]


async def test_everything_that_is_wrong_with_a_definition_is_told_at_its_place(api: httpx.AsyncClient) -> None:
    wrong = greeting(
        steps=[{"id": "greet", "type": "tsk", "module": STEPS, "step_class": "greet"}],
        flow={"start_at": "greet", "paths": [], "colour": "red"},
    )
    found = fields(await api.post("/api/pipelines", json={"definition": wrong}))
    assert found.keys() == {"definition.steps[0].type", "definition.flow.colour"}
    assert "'task'" in found["definition.steps[0].type"]

    looked_at = (await api.post("/api/definitions/validate", json={"definition": wrong})).json()
    assert looked_at["valid"] is False
    assert {f"definition{each['path'][1:]}": each["detail"] for each in looked_at["problems"]} == found
    for odd in (None, [], "x", 1, {}, {"steps": 3}):
        looked_at = (await api.post("/api/definitions/validate", json={"definition": odd})).json()
        assert looked_at["valid"] is False
        assert looked_at["problems"]
    right = (await api.post("/api/definitions/validate", json={"definition": greeting()})).json()
    assert (right["valid"], right["problems"], right["warnings"]) == (True, [], [])
    assert (right["default_input"], list(right["input_schema"]["properties"])) == ({"times": 1}, ["who", "times"])

    more = {"type": "field_exists", "field": "result.more"}
    ways = [{"from": "greet", "to": to, "condition": more} for to in ("greet", "end")]
    goes_on = greeting() | {"flow": {"start_at": "greet", "paths": ways}}
    looked_at = (await api.post("/api/definitions/validate", json={"definition": goes_on})).json()
    assert (looked_at["valid"], looked_at["problems"]) == (True, [])
    [warning] = looked_at["warnings"]
    assert warning["path"] == "$.flow.paths[0]"
    assert "paths of 'greet' to 'greet' and 'end' can both hold" in warning["detail"]
    assert (await api.get("/api/pipelines")).json()["items"] == []


@pytest.mark.parametrize("module", ["os", "subprocess", "shutil", "tests.showcase.server", "builtins", "os.path"])
async def test_a_definition_may_only_name_modules_that_are_allowed(api: httpx.AsyncClient, module: str) -> None:
    step = {"id": "greet", "module": module, "step_class": "system"}
    found = fields(await api.post("/api/pipelines", json={"definition": greeting(steps=[step])}))
    assert found.keys() == {"definition.steps[0].module"}
    assert repr(module) in found["definition.steps[0].module"]
    assert MODULES_VARIABLE in found["definition.steps[0].module"]

    condition = {"type": "function", "module_path": module, "function_name": "system"}
    paths = [{"from_step": "greet", "to_step": "end", "condition": condition}]
    asking = greeting(flow={"start_at": "greet", "paths": paths})
    found = fields(await api.post("/api/pipelines", json={"definition": asking}))
    assert found.keys() == {"definition.flow.paths"}
    assert repr(module) in found["definition.flow.paths"]


async def test_code_that_is_not_there_is_refused(api: httpx.AsyncClient) -> None:
    step = {"id": "greet", "module": STEPS, "step_class": "wave"}
    found = fields(await api.post("/api/pipelines", json={"definition": greeting(steps=[step])}))
    assert "no 'wave'" in found["definition.steps[0]"]


async def test_a_new_version_keeps_the_modules_beside_the_file(
    api: httpx.AsyncClient, tracker: ExecutionTracker, tmp_path: Path
) -> None:
    (tmp_path / "own_steps.py").write_text("def greet(data):\n    return {}\n")
    step = {"id": "greet", "name": "greet", "module": "own_steps", "step_class": "greet"}
    await tracker.register_version("greeting", "Greeting", greeting(steps=[step]), source_folder=str(tmp_path))
    changed = greeting(steps=[step], description="Says goodbye.")

    assert "definition.steps[0].module" in fields(await api.post("/api/pipelines", json={"definition": changed}))
    looked_at = await api.post("/api/definitions/validate", json={"definition": changed, "pipeline_id": "greeting"})
    assert looked_at.json()["valid"] is True
    answer = await api.put("/api/pipelines/greeting", json={"definition": changed, "base_version": 1})

    assert answer.status_code == 200, answer.text
    assert (answer.json()["version"], answer.json()["source_folder_known"]) == (2, True)
    version = await tracker.get_pipeline_version(answer.json()["id"])
    assert version is not None
    assert version.source_folder == str(tmp_path)


async def test_versions_are_counted_and_the_same_content_is_the_same_version(api: httpx.AsyncClient) -> None:
    made = await stored(api, greeting())
    second = await api.put("/api/pipelines/greeting", json={"definition": greeting(description="Two")})
    assert second.json()["current_version"] == 2
    back = await api.put("/api/pipelines/greeting", json={"definition": greeting(), "base_version": 2})
    assert (back.json()["version"], back.json()["current_version"]) == (1, 1)
    late = await api.put(
        "/api/pipelines/greeting", json={"definition": greeting(description="Three"), "base_version": 2}
    )
    assert refusal(late) == (409, "stale-version")
    nothing = await api.put("/api/pipelines/nobody", json={"definition": greeting(slug="nobody")})
    assert refusal(nothing) == (404, "pipeline-not-found")
    assert fields(await api.put("/api/pipelines/greeting", json={"definition": greeting(slug="other")})).keys() == {
        "definition.slug"
    }
    unnamed = {key: value for key, value in greeting().items() if key != "slug"} | {"name": "Another name"}
    third = (await api.put("/api/pipelines/greeting", json={"definition": unnamed})).json()
    assert (third["slug"], third["name"], third["version"]) == ("greeting", "Another name", 3)
    assert third["description"] == "Says hello."
    silent = {key: value for key, value in unnamed.items() if key != "description"}
    fourth = (await api.put("/api/pipelines/greeting", json={"definition": silent})).json()
    assert (fourth["version"], fourth["description"]) == (4, None)

    page = (await api.get("/api/pipelines/greeting/versions", params={"limit": 2})).json()
    assert [(each["version"], each["is_current"]) for each in page["items"]] == [(4, True), (3, False)]
    rest = (await api.get("/api/pipelines/greeting/versions", params={"cursor": page["next_cursor"]})).json()
    assert ([each["version"] for each in rest["items"]], rest["next_cursor"]) == ([2, 1], None)
    assert rest["items"][1]["definition"] == made["definition"]
    old = (await api.get("/api/pipelines/greeting", params={"version": 2})).json()
    assert (old["version"], old["current_version"]) == (2, 4)
    assert old["definition"]["description"] == "Two"
    assert refusal(await api.get("/api/pipelines/greeting", params={"version": 9})) == (
        404,
        "pipeline-version-not-found",
    )


async def test_pipelines_are_listed_by_slug_in_pages_and_found_by_text(api: httpx.AsyncClient) -> None:
    for slug in ("c", "a", "b-100%", "b_1"):
        await stored(api, greeting(slug=slug, name=f"Pipeline {slug.upper()}"))

    async def slugs(**query: Any) -> list[str]:
        return [item["slug"] for item in (await api.get("/api/pipelines", params=query)).json()["items"]]

    listed = await slugs()
    assert sorted(listed) == ["a", "b-100%", "b_1", "c"]
    page = (await api.get("/api/pipelines", params={"limit": 3})).json()
    assert [item["slug"] for item in page["items"]] == listed[:3]
    assert await slugs(cursor=page["next_cursor"]) == listed[3:]
    assert await slugs(q="pipeline C") == ["c"]
    assert await slugs(q="0%") == ["b-100%"]
    assert await slugs(q="_") == ["b_1"]
    assert await slugs(q="SAYS HELLO") == listed
    assert await slugs(q="!") == []
    await stored(api, greeting(slug="d", name="Ärger mit Σίσυφος"))
    assert await slugs(q="äRGER MIT ΣΊΣΥΦΟΣ") == ["d"]


async def test_an_archived_pipeline_starts_nothing_until_a_version_is_stored(api: httpx.AsyncClient) -> None:
    await stored(api, greeting())
    before = (await started(api, {"who": "Ann"}, key="one")).json()
    assert (await api.delete("/api/pipelines/greeting")).status_code == 204

    assert (await api.get("/api/pipelines")).json()["items"] == []
    [item] = (await api.get("/api/pipelines", params={"archived": True})).json()["items"]
    assert (item["slug"], item["is_active"]) == ("greeting", False)
    assert refusal(await started(api, {"who": "Ann"})) == (409, "pipeline-archived")
    assert (await started(api, {"who": "Ann"}, key="one")).json() == before
    rerun = await api.post(f"/api/executions/{before['execution_id']}/rerun")
    assert refusal(rerun) == (409, "pipeline-archived")
    await api.put("/api/pipelines/greeting", json={"definition": greeting()})
    assert (await started(api, {"who": "Ann"})).status_code == 202


async def test_a_pipeline_is_deleted_with_its_history_when_nothing_of_it_is_active(
    api: httpx.AsyncClient, tracker: ExecutionTracker, server: Server
) -> None:
    await stored(api, greeting())
    execution_id = (await started(api, {"who": "Ann"})).json()["execution_id"]
    answer = await api.delete("/api/pipelines/greeting", params={"with_history": True})
    assert refusal(answer) == (409, "pipeline-in-use")
    assert (await api.get("/api/pipelines/greeting")).json()["is_active"] is True
    await api.post(f"/api/executions/{execution_id}/cancel")
    other = await tracker.register_pipeline("other", "Other")
    await asyncio.gather(*(tracker.start_execution(other) for _ in range(2)))

    async with server.watch(execution_id) as shown, connect(f"ws://{server.host}/ws/executions") as lists:
        await receive(shown)
        assert [await receive(lists) for _ in range(2)] == [{"type": "resync"}] * 2  # the other one: it listens now
        gone = await api.delete("/api/pipelines/greeting", params={"with_history": True})
        while (frame := await receive(lists))["type"] == "hints":  # of what was started before
            pass
        assert frame == {"type": "resync"}
        with pytest.raises(ConnectionClosed) as closed:
            await receive(shown)
    assert closed.value.rcvd is not None
    assert (gone.status_code, closed.value.rcvd.code) == (204, 4404)
    assert refusal(await api.get("/api/pipelines/greeting")) == (404, "pipeline-not-found")
    assert refusal(await api.get(f"/api/executions/{execution_id}")) == (404, "execution-not-found")
    assert len((await api.get("/api/executions")).json()["items"]) == 2


async def test_what_a_file_stores_is_the_same_version_when_it_is_stored_again_by_the_page(
    api: httpx.AsyncClient, tracker: ExecutionTracker
) -> None:
    step = {"id": "greet", "module": STEPS, "class": "greet", "config": {"rate": 2.0}, "timeout_seconds": 5.0}
    written = greeting(steps=[step], parameters=[{"name": "times", "default": 1.0, "required": False}])
    definition = load(written).definition
    await tracker.register_version(definition.slug, definition.name, definition.to_json())

    kept = (await api.get("/api/pipelines/greeting")).json()
    for document in (kept["definition"], written, as_a_browser_writes(written)):
        answer = await api.put("/api/pipelines/greeting", json={"definition": document, "base_version": 1})
        assert answer.status_code == 200, answer.text
        assert (answer.json()["version"], answer.json()["definition"]) == (1, kept["definition"])
    changed = {**kept["definition"], "description": "Says hello twice."}
    assert (await api.put("/api/pipelines/greeting", json={"definition": changed})).json()["definition"] == changed


def as_a_browser_writes(document: Definition) -> Any:
    """JavaScript has one kind of number: a whole one loses its fraction."""

    def number(text: str) -> float:
        return int(float(text)) if float(text).is_integer() else float(text)

    return json.loads(json.dumps(document), parse_float=number)


async def test_the_graph_has_every_step_and_every_way_with_its_place_in_the_file(api: httpx.AsyncClient) -> None:
    low = {"type": "expression", "source": "output.score", "operator": "less_than", "value": 0.5}
    await stored(
        api,
        greeting(
            steps=[
                {"id": "draft", "module": STEPS, "step_class": "greet", "timeout_seconds": 5},
                {"id": "ask", "type": "human_input", "prompt": "Good?", "timeout_seconds": 9, "on_timeout": "draft"},
                {
                    "id": "send",
                    "module": STEPS,
                    "step_class": "greet",
                    "map": {"over": "{steps.draft.output.names}"},
                    "error_handling": {"retry": {"max_attempts": 4}, "continue_on_error": True},
                },
            ],
            flow={
                "start_at": "draft",
                "paths": [
                    {"from_step": "draft", "to_step": "draft", "condition": low},
                    {"from_step": "ask", "to_step": "send"},
                    {"from_step": "draft", "to_step": "ask", "condition": {"type": "else"}},
                    {"from_step": "send", "to_step": "end_sent", "ends": "execution"},
                ],
                "route": "first",
            },
            loop_config={"max_iterations": 7},
            merge={"*": "last", "cost": "sum"},
        ),
    )
    graph = (await api.get("/api/pipelines/greeting/graph")).json()
    assert graph["merge_rules"] == "cost sum, every other key last"

    assert (graph["version"], graph["start_at"]) == (1, "draft")
    draft, ask, send = graph["nodes"]
    assert (draft["type"], draft["step_class"], draft["max_iterations"], draft["timeout_seconds"]) == (
        "task",
        "greet",
        7,
        5,
    )
    assert (draft["map_over"], send["map_over"]) == (None, "{steps.draft.output.names}")
    assert (ask["type"], ask["module"], ask["max_iterations"]) == ("human_input", None, 7)
    assert (send["max_iterations"], send["retry_max_attempts"]) == (1, 4)
    assert (send["continues_on_error"], send["has_fallback"]) == (True, False)
    ways = {(each["index"], each["source"], each["target"], each["is_back_edge"]) for each in graph["edges"]}
    assert ways == {
        (0, "draft", "draft", True),
        (1, "ask", "send", False),
        (2, "draft", "ask", False),
        (3, "send", "end_sent", False),
        (None, "ask", "draft", True),
    }
    labels = {each["index"]: each["label"] for each in graph["edges"]}
    assert labels[2] == "otherwise"
    assert "< 0.5" in labels[0]
    assert [each["index"] for each in graph["edges"] if each["ends_execution"]] == [3]
    assert {each["index"]: each["order"] for each in graph["edges"]} == {0: 1, 1: None, 2: None, 3: None, None: None}


async def test_an_execution_is_queued_with_its_defaults_and_read_back(
    api: httpx.AsyncClient, tracker: ExecutionTracker
) -> None:
    made = await stored(api, greeting())
    answer = await started(api, {"who": "Ann"})

    assert answer.status_code == 202
    queued = answer.json()
    assert answer.headers["location"] == f"/api/executions/{queued['execution_id']}"
    assert (queued["status"], queued["managed"], queued["pipeline_version"]) == ("pending", True, 1)
    assert (queued["trigger"], queued["total_steps"], queued["queue_seconds"]) == ("api", 1, None)
    record = await tracker.get_execution(queued["execution_id"])
    assert record is not None
    assert record.input_data == {"who": "Ann", "times": 1}
    shown = (await api.get("/api/pipelines/greeting")).json()
    assert shown["last_input"] == {"who": "Ann", "times": 1}
    assert ([each["execution_id"] for each in shown["recent"]], shown["active"]) == ([queued["execution_id"]], 1)
    assert made["id"] == queued["pipeline_id"]


async def test_an_execution_is_queued_for_a_time_with_its_priority(api: httpx.AsyncClient) -> None:
    await stored(api, greeting())
    queued = (await started(api, {"who": "Ann"}, run_at="2126-12-01T02:00:00+01:00", priority=-7)).json()
    assert (queued["status"], queued["run_at"], queued["priority"]) == ("waiting", "2126-12-01T01:00:00.000000Z", -7)
    passed = (await started(api, {"who": "Ann"}, run_at="2020-01-01T00:00:00Z")).json()
    assert (passed["status"], passed["run_at"], passed["priority"]) == ("pending", None, 0)
    for name, value in (
        ("run_at", "2126-12-01T02:00:00"),
        ("run_at", "0001-01-01T00:00:00+14:00"),
        ("priority", 2**31),
    ):
        refused = await started(api, {"who": "Ann"}, **{name: value})
        assert (refused.status_code, name in refused.text) == (422, True)


async def test_what_is_wrong_with_an_input_is_told_at_its_field(api: httpx.AsyncClient) -> None:
    await stored(api, greeting())
    assert fields(await started(api, {"times": 0})).keys() == {"input_data.who", "input_data.times"}
    assert fields(await started(api, {"who": 3})).keys() == {"input_data.who"}
    assert fields(await started(api, "Ann")).keys() == {"input_data"}
    assert fields(await started(api, {"who": "a\0b"})).keys() == {"input_data.who"}
    assert fields(await started(api, {"who": "Ann", "n": 2**70})).keys() == {"input_data.n"}
    assert fields(await started(api, {}, colour="red")).keys() == {"colour"}
    assert refusal(await started(api, {}, slug="nobody")) == (404, "pipeline-not-found")
    assert refusal(await started(api, {"who": "Ann"}, version=3)) == (404, "pipeline-version-not-found")
    assert (await api.get("/api/executions")).json()["items"] == []


async def test_a_program_that_only_records_cannot_be_started_here(
    api: httpx.AsyncClient, pipeline_id: PipelineId
) -> None:
    shown = (await api.get("/api/pipelines/nightly")).json()
    assert (shown["runnable"], shown["version"], shown["definition"], shown["input_schema"]) == (
        False,
        None,
        None,
        None,
    )
    assert refusal(await started(api, {}, slug="nightly")) == (409, "pipeline-not-runnable")
    assert refusal(await api.get("/api/pipelines/nightly/graph")) == (404, "pipeline-version-not-found")


async def test_a_pipeline_is_runnable_once_its_folder_is_known(
    api: httpx.AsyncClient, tracker: ExecutionTracker, tmp_path: Path
) -> None:
    (tmp_path / "own_steps.py").write_text("def greet(data):\n    return {}\n")
    definition = greeting(steps=[{"id": "greet", "module": "own_steps", "step_class": "greet"}])
    await tracker.register_version("greeting", "Greeting", definition)
    for folder, runnable in ((None, False), (str(tmp_path), True)):
        await tracker.register_version("greeting", "Greeting", definition, source_folder=folder)
        assert (await api.get("/api/pipelines/greeting")).json()["runnable"] is runnable
        (listed,) = (await api.get("/api/pipelines")).json()["items"]
        assert listed["runnable"] is runnable


async def test_a_definition_that_is_none_is_shown_but_not_drawn(
    api: httpx.AsyncClient, tracker: ExecutionTracker
) -> None:
    for slug, odd in (("text", "x"), ("odd", {"steps": {"a": 1}}), ("list", [1])):
        await tracker.register_pipeline(slug, slug, odd)
        shown = (await api.get(f"/api/pipelines/{slug}")).json()
        assert (shown["input_schema"], shown["step_count"]) == (None, 0)
        assert shown["definition"] == (odd if isinstance(odd, dict) else None)
        assert (await api.get(f"/api/pipelines/{slug}/versions")).status_code == 200
        assert (await api.get(f"/api/pipelines/{slug}/graph")).status_code == 422
        assert (await started(api, {}, slug=slug)).status_code == 422


async def test_the_same_request_with_the_same_key_starts_nothing_twice(api: httpx.AsyncClient) -> None:
    await stored(api, greeting())
    answers = await asyncio.gather(*(started(api, {"who": "Ann"}, key="k-1") for _ in range(5)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["execution_id"] for answer in answers}) == 1
    assert refusal(await started(api, {"who": "Bob"}, key="k-1")) == (422, "idempotency-conflict")
    await api.put("/api/pipelines/greeting", json={"definition": greeting(parameters=[])})
    again = await started(api, {"who": "Ann"}, key="k-1")
    assert again.json() == answers[0].json()
    other = await started(api, {"who": "Ann"}, key="k-2")
    assert other.json()["execution_id"] != again.json()["execution_id"]
    assert len((await api.get("/api/executions")).json()["items"]) == 2


async def test_an_overview_tells_how_a_pipeline_did_lately(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    ids = [await tracker.start_execution(pipeline_id) for _ in range(34)]
    for number, execution_id in enumerate(ids[:32]):
        await tracker.update_execution_status(
            execution_id, ("completed", "completed", "failed", "cancelled")[number % 4]
        )
    [item] = (await api.get("/api/pipelines")).json()["items"]

    assert [bar["execution_id"] for bar in item["recent"]] == ids[4:]
    assert [bar["status"] for bar in item["recent"]][-3:] == ["cancelled", "running", "running"]
    assert (item["success_rate"], item["active"]) == (16 / 24, 2)
    assert 0 <= item["p50_seconds"] <= item["p95_seconds"]
    assert item["recent"][0]["duration_seconds"] is not None


async def test_what_is_started_over_the_api_is_run_by_the_server(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MODULES_VARIABLE, STEPS)
    with running(Server(database_url, slots=2)) as server:
        async with server.client() as api:
            await stored(api, greeting())
            place = (await started(api, {"who": "Ann"})).headers["location"]
            execution_id = place.rpartition("/")[2]
            async with server.watch(execution_id) as client:
                while (await receive(client))["messages"][-1]["data"]["status"] in ("pending", "running"):
                    pass
            detail = (await api.get(place)).json()
    assert (detail["status"], detail["output_data"]["greeting"]) == ("completed", "Hello, Ann!")
    assert detail["queue_seconds"] >= 0
    assert detail["steps"][0]["routes"]["next"] == "paths"


async def test_who_changed_what_is_on_record(api: httpx.AsyncClient, database: DatabaseManager) -> None:
    made = await stored(api, greeting())
    execution_id = (await started(api, {"who": "Ann"})).json()["execution_id"]
    await api.post(f"/api/executions/{execution_id}/cancel")
    await api.delete("/api/pipelines/greeting")
    rows = await database.fetch_all_async("SELECT actor, action, subject FROM audit_log ORDER BY audit_id")
    assert [tuple(row.values()) for row in rows] == [
        ("local", "pipeline.create", made["id"]),
        ("local", "execution.start", execution_id),
        ("local", "execution.cancel", execution_id),
        ("local", "pipeline.archive", made["id"]),
    ]


async def test_the_format_is_told_as_json_schema(api: httpx.AsyncClient) -> None:
    schema = (await api.get("/api/definitions/schema")).json()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert {"name", "slug", "steps", "flow"} <= schema["properties"].keys()
