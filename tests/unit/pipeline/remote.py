"""Remote calls as an owner makes them."""

from pathlib import Path
from typing import Any

from ia_modules.models import ExecutionId, JsonText, StepExecutionId
from ia_modules.paths import GRAPH
from ia_modules.pipeline.capture import CaptureRules
from ia_modules.pipeline.remote_calls import RemoteCall, RemoteCode


def call_of(folder: Path, name: str, *, module: str = "host_steps", **changes: Any) -> RemoteCall:
    """A call of a function in a module of a folder."""
    facts: dict[str, Any] = {
        "code": RemoteCode(module=module, name=name, folder=str(folder)),
        "fingerprint": {},
        "execution_id": ExecutionId("e"),
        "step_id": "step",
        "step_execution_id": StepExecutionId("attempt"),
        "iteration": 1,
        "attempt": 1,
        "rerun_of": None,
        "within": GRAPH,
        "item_key": None,
        "config": JsonText("{}"),
        "data": JsonText('{"n": 1}'),
        "item": None,
        "failure": None,
        "worker": "owner",
        "capture": CaptureRules(),
        "again_upto": 0,
        "drops_output": False,
        "services": None,
        "traceparent": None,
    }
    return RemoteCall(**(facts | changes))
