"""What passes between an owner and a host is plain JSON, and nothing of a secret is in it."""

import os
from datetime import UTC, datetime

import pytest
from msgspec import Raw

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import JsonText, LogLevel, StepExecutionId
from ia_modules.pipeline.code import load_pipeline
from ia_modules.pipeline.executor import LocalExecutor
from ia_modules.pipeline.loader import load
from ia_modules.pipeline.remote_calls import (
    AttemptBegan,
    AttemptEnded,
    BeginCall,
    CancelCall,
    CodeChanged,
    OwnersDesk,
    ReadTime,
    ReadWithin,
    RemoteCall,
    Reply,
    ToHost,
    ToOwner,
    WriteNews,
    body_of,
    encoded,
    read_body,
    read_by_host,
    read_by_owner,
)
from ia_modules.pipeline.remote_failures import RemoteFailure
from ia_modules.pipeline.runner import Runner
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.pipeline.step_modules import StepModules
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import LogLine, StepUpdate
from tests.unit.pipeline.factories import document, task

FAILURE = RemoteFailure.of(ValueError("no"))
PATH = StepExecutionId("attempt")


@pytest.mark.parametrize(
    "message",
    [Reply(1, Raw(b"[1]")), Reply(2, failure=FAILURE), CancelCall()],
    ids=lambda message: type(message).__name__,
)
def test_what_a_host_is_told_is_read_as_it_was_said(message: ToHost) -> None:
    assert read_by_host(encoded(message)) == message


@pytest.mark.parametrize(
    "message",
    [
        AttemptBegan(),
        CodeChanged("steps"),
        WriteNews(
            1,
            (),
            (StepUpdate(step_execution_id=PATH, progress=0.5),),
            (LogLine(log_id="1", message="ü\n", level=LogLevel.OUTPUT, data=JsonText('{"a": 1}')),),
            (),
            (),
        ),
        ReadTime(2),
        AttemptEnded(JsonText('{"a": "ü"}')),
        AttemptEnded(failure=FAILURE, is_clean=False),
    ],
    ids=lambda message: type(message).__name__,
)
def test_what_an_owner_is_told_is_read_as_it_was_said(message: ToOwner) -> None:
    assert read_by_owner(encoded(message)) == message


def test_an_answer_is_of_the_kind_that_was_asked_for() -> None:
    now = datetime.now(UTC)
    assert read_body(body_of(now), datetime) == now
    assert read_body(body_of(None), type(None)) is None
    assert isinstance(read_by_owner(encoded(ReadWithin(3, read_body(body_of("/a"), str)))), ReadWithin)  # type: ignore[arg-type]


class Listening(LocalExecutor):
    """Keeps what its processes are told."""

    def __init__(self) -> None:
        super().__init__(processes=1)
        self.begun: list[bytes] = []

    async def execute_remote(
        self, call: RemoteCall, desk: OwnersDesk, *, timeout_seconds: float | None, rejoins: bool = False
    ) -> JsonText:
        self.begun.append(encoded(BeginCall(call)))
        return await super().execute_remote(call, desk, timeout_seconds=timeout_seconds, rejoins=rejoins)


async def test_nothing_of_a_secret_is_in_a_call(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "token-of-the-environment")
    step = task("step", step_class="Scaled", module="ia_modules.testing.executor_steps", isolation="process")
    pipeline = load_pipeline(load(document({**step, "config": {"factor": 2}})).definition, StepModules())
    services = ServiceRegistry({"client": "token-of-a-service"})
    executor = Listening()
    async with DatabaseManager(database_url) as database, ExecutionTracker(database) as tracker:
        runner = Runner(tracker, services=services, executor=executor)
        assert (await runner.run(pipeline, {"number": 3}))["output"]["scaled"] == 6
    (message,) = executor.begun
    assert b'"factor":2' in message.replace(b"\\", b"")
    for secret in (database_url, "token-of-the-environment", "token-of-a-service", os.environ["PATH"]):
        assert secret.encode() not in message
