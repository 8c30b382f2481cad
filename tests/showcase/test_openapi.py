"""The API keeps to its OpenAPI document, whatever it is asked: rightly or wrongly, of what is there or is not."""

import asyncio
import base64
from collections.abc import Generator
from typing import Any, cast

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionStatus, JsonText
from ia_modules.pipeline.allowed_code import MODULES_VARIABLE
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import ExecutionUpdate, NewInteraction, Transition
from tests.showcase.server import PATIENCE_SECONDS, Server, running

STEPS = "tests.showcase.steps"
CHECKS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = {"sqlite": 12, "postgresql": 5}
"""Requests of each kind to each route. The routes are the same on both; their SQL is what may differ."""

PARTS = 4
"""The routes are divided, each part with a server of its own: all at once take long on a busy machine."""

Ids = dict[str, str]
GREETING = {
    "name": "Greeting",
    "slug": "greeting",
    "parameters": [{"name": "who", "default": "world"}],
    "steps": [{"id": "greet", "module": STEPS, "step_class": "greet"}],
    "flow": {"start_at": "greet"},
}
QUESTION, OTHER_QUESTION = (f"0199c3f2-0000-7000-8000-0000000000a{number}" for number in (1, 2))
RIGHT_BODIES: dict[str, Any] = {
    "create_pipeline": {"definition": GREETING},
    "update_pipeline": {"definition": GREETING},
    "run_definition_once": {"definition": GREETING, "input_data": {"who": "Ann"}},
    "make_version_current": {"version": 1},
    "start_execution": {"input_data": {"who": "Ann"}},
    "mend_failure": {"version": 1},
    "change_executions": {"action": "rerun", "filter": {"status": "cancelled"}},
    "answer_interactions": {"interaction_ids": [QUESTION], "response": {}},
    "answer_interaction": {"response": {}},
    "assign_interaction": {"assigned_users": ["ann"]},
}
RIGHT_QUERIES: dict[str, dict[str, str]] = {"compare_executions": {"a": "execution_id", "b": "queued"}}
"""Of routes that need a query: its names, with what each names."""


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a server says of itself: the same on both databases, and slow to be written."""
    path = tmp_path_factory.mktemp("document") / "ia.db"
    with running(Server(f"sqlite:///{path}", slots=0)) as server:
        return httpx.get(f"{server.url}/openapi.json", timeout=PATIENCE_SECONDS).raise_for_status().json()


@pytest.fixture
def server(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Generator[Server]:
    """A server that runs nothing by itself, so that the same requests have the same answers."""
    monkeypatch.setenv(MODULES_VARIABLE, STEPS)
    with running(Server(database_url, slots=0)) as server:
        yield server


@pytest.fixture
def ids(server: Server, database_url: str) -> Ids:
    """What is there to be asked for, by the names that paths give it."""
    return asyncio.run(_fill(server, database_url))


async def _fill(server: Server, database_url: str) -> Ids:
    async with server.client() as api:
        made = await api.post("/api/pipelines", json={"definition": GREETING})
        queued, stopped = [await api.post("/api/pipelines/greeting/executions", json={}) for _ in range(2)]
        await api.post(f"/api/executions/{stopped.json()['execution_id']}/cancel")
    async with DatabaseManager(database_url) as database, ExecutionTracker(database) as tracker:
        recorded = tracker.execution(made.json()["id"], input_data={"who": "Ann"})
        async with recorded as execution, execution.step("greet") as step:
            await step.log("hello", data={"n": 1})
            step.output = {"greeting": "Hello, Ann!"}
        failed = await tracker.start_execution(made.json()["id"], pipeline_version=1)
        await tracker.update_execution_status(failed, "failed", error_message="nobody is there")
        summary = await tracker.get_execution_summary(failed)
        assert summary is not None
        for question_id in (QUESTION, OTHER_QUESTION):
            await _ask_a_person(tracker, made.json()["id"], question_id)
        async with server.client() as api:
            file = await api.get(f"/api/executions/{execution.id}/run-file")
        RIGHT_BODIES["import_run_file"] = {"run_file": base64.b64encode(file.content).decode()}
        return {
            "failure_id": f"greeting.{summary.failure_group}",
            "interaction_id": QUESTION,
            "pipeline_id": "greeting",
            "execution_id": execution.id,
            "step_execution_id": step.id,
            "queued": queued.json()["execution_id"],
            "stopped": stopped.json()["execution_id"],
        }


async def _ask_a_person(tracker: ExecutionTracker, pipeline_id: str, question_id: str) -> None:
    execution_id = await tracker.start_execution(pipeline_id)
    attempt = await tracker.start_step_execution(execution_id, "ask", "Ask", "human_input")
    ask = NewInteraction(interaction_id=question_id, step_execution_id=attempt, ui_schema=JsonText('{"type":"object"}'))
    rest = ExecutionUpdate(status=ExecutionStatus.WAITING_FOR_HUMAN)
    await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, asks=(ask,), change=rest))


@pytest.mark.parametrize("part", range(PARTS))
def test_every_answer_is_one_that_the_document_tells_of(
    server: Server, ids: Ids, document: dict[str, Any], dialect: str, part: int
) -> None:
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=server.url)
    operations: list[Any] = [cast("Any", result).ok() for result in schema.get_all_operations()]
    operations = sorted(operations, key=_does_away_with_much)[part::PARTS]
    done: set[str] = set()
    with requests.Session() as session:
        for operation in operations:
            raw = operation.definition.raw
            statuses = {_ask_rightly(operation, session, ids)}
            statuses |= _ask(operation, GenerationMode.POSITIVE, session, ids, EXAMPLES[dialect])
            if raw.keys() & {"parameters", "requestBody"}:
                statuses |= _ask(operation, GenerationMode.NEGATIVE, session, ids, EXAMPLES[dialect])
            if any(status < 300 for status in statuses):
                done.add(raw["operationId"])
    assert {operation.definition.raw["operationId"] for operation in operations} == done


def _does_away_with_much(operation: Any) -> bool:
    """What is to be asked when all others have been."""
    return operation.method == "delete" or operation.definition.raw["operationId"] == "change_executions"


def _ask_rightly(operation: Any, session: requests.Session, ids: Ids) -> int:
    """The status of the answer to a request for what is there, with no more than it needs."""
    known = _known(operation, ids)
    places = {parameter.name: known[parameter.name] for parameter in operation.path_parameters}
    name = operation.definition.raw["operationId"]
    body, query = RIGHT_BODIES.get(name), {key: ids[named] for key, named in RIGHT_QUERIES.get(name, {}).items()}
    parts: dict[str, Any] = {"query": query} if query else {}
    parts |= {} if body is None else {"body": body, "media_type": "application/json"}
    return operation.Case(path_parameters=places, **parts).call_and_validate(session=session, checks=CHECKS).status_code


def _known(operation: Any, ids: Ids) -> Ids:
    """The values of a path that are there: a post changes an execution, so it goes to the one that has not ended."""
    if operation.definition.raw["operationId"] == "assign_interaction":  # the other one has been answered by then
        return ids | {"interaction_id": OTHER_QUESTION}
    if operation.definition.raw["operationId"] in ("plan_resume", "resume_execution"):
        return ids | {"execution_id": ids["stopped"]}
    return ids | ({"execution_id": ids["queued"]} if operation.method == "post" else {})


def _ask(operation: Any, mode: GenerationMode, session: requests.Session, ids: Ids, max_examples: int) -> set[int]:
    """The statuses of the answers to many requests, which are all held against the document."""
    statuses: set[int] = set()
    known = _known(operation, ids)
    right_body = RIGHT_BODIES.get(operation.definition.raw["operationId"])

    @settings(
        max_examples=max_examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(case=operation.as_strategy(generation_mode=mode), is_there=st.booleans(), is_right=st.booleans())
    def ask(case: Any, is_there: bool, is_right: bool) -> None:
        if is_there:
            case.path_parameters = {
                name: known.get(name, value) for name, value in (case.path_parameters or {}).items()
            }
        if is_right and right_body is not None and mode is GenerationMode.POSITIVE:
            case.body = right_body
        statuses.add(case.call_and_validate(session=session, checks=CHECKS, timeout=PATIENCE_SECONDS).status_code)

    ask()
    return statuses


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)  # no route is reached
def test_a_method_that_a_path_does_not_have_is_told_which_it_has(
    server: Server, ids: Ids, document: dict[str, Any]
) -> None:
    with httpx.Client(base_url=server.url, timeout=PATIENCE_SECONDS) as api:
        for path, operations in document["paths"].items():
            for method in {"put", "delete", "patch", "post"} - operations.keys():
                answer = api.request(method, path.format(**ids), headers={"content-type": "application/json"})
                assert answer.status_code == 405, (method, path)
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.headers["allow"]


def test_every_route_is_told_with_words(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names))
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            assert {"403", "421", "503"} <= operation["responses"].keys(), (method, path)
            assert all(answer["description"] for answer in operation["responses"].values()), (method, path)


def test_whatever_a_shown_run_file_refuses_says_so_and_nothing_else_does(document: dict[str, Any]) -> None:
    refused = {
        (method, path)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if "it is read-only" in operation["responses"].get("409", {"description": ""})["description"]
    }
    every = {(method, path) for path, operations in document["paths"].items() for method in operations}
    writing = {(method, path) for method, path in every if method != "get" and path != "/api/session"}
    assert refused == writing | {("get", "/api/executions/{execution_id}/run-file")}
