import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Command, newest
from tests.unit.cli.pipeline_files import nightly

STEPS = """
from pathlib import Path
from ia_modules.pipeline.core import Step

class Read(Step):
    async def run(self, data):
        return {"n": data.get("n", 0)}

class Send(Step):
    async def run(self, data):
        if not Path(self.config["gate"]).exists():
            raise ValueError("shut")
        return {"sent": data["n"]}

class SendEach(Step):
    async def run(self, data):
        if data["n"] > 1 and not Path(self.config["gate"]).exists():
            raise ValueError("shut")
        return data["n"]
"""


@pytest.fixture
def sending(tmp_path: Path) -> str:
    """A file of two steps, the second of which fails until there is a gate."""
    (tmp_path / "sending.py").write_text(STEPS)
    config = {"gate": str(tmp_path / "gate")}
    document = {
        "name": "Send",
        "steps": [
            {"id": "read", "module": "sending", "step_class": "Read", "effect": "read"},
            {"id": "send", "module": "sending", "step_class": "Send", "effect": "external", "config": config},
        ],
        "flow": {"start_at": "read", "paths": [{"from": "read", "to": "send"}]},
    }
    path = tmp_path / "sending.json"
    path.write_text(json.dumps(document))
    return str(path)


def failed(command: Command, sending: str) -> str:
    assert command("run", sending, "--input", '{"n": 1}').exit_code == 1
    return newest(command)["execution_id"]


def squeezed(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_rerun_queues_the_same_version_with_the_same_input(command: Command, tmp_path: Path) -> None:
    command("run", nightly(tmp_path), "--detach", "--input", '{"day": 24}')
    first = newest(command)
    again = command("executions", "rerun", first["execution_id"])
    second = newest(command)
    assert again.stdout.startswith(f"Queued as {second['execution_id']}; a worker runs it.\n")
    for name in ("input_data", "pipeline_version", "pipeline_id"):
        assert second[name] == first[name]
    assert (second["status"], second["rerun_of"]) == ("pending", first["execution_id"])
    third = json.loads(command("executions", "rerun", second["execution_id"], "--json").stdout)
    assert third["execution_id"] == newest(command)["execution_id"]


def test_a_dry_run_says_what_is_kept_and_what_runs_with_its_effect_and_starts_nothing(
    command: Command, sending: str
) -> None:
    first = failed(command, sending)
    plan = command("executions", "rerun", first, "--from", "send", "--dry-run")
    assert squeezed(plan.stdout) == [
        "STEP EFFECT",
        "kept read",
        "runs send external",
        "Nothing was started: without --dry-run it is queued.",
    ]
    by_hand = command("executions", "rerun", first, "--from", "send", "--step-output", '{"sent": 2}', "--dry-run")
    assert squeezed(by_hand.stdout)[1:3] == ["kept read", "result given send"]
    as_json = json.loads(command("executions", "rerun", first, "--dry-run", "--json").stdout)
    assert [(step["step_id"], step["effect_text"]) for step in as_json["steps"]] == [
        ("read", "read"),
        ("send", "external"),
    ]
    assert newest(command)["execution_id"] == first


def test_a_rerun_from_a_step_takes_another_input_or_a_result_and_starts_once_for_a_key(
    command: Command, sending: str, tmp_path: Path
) -> None:
    first = failed(command, sending)
    (tmp_path / "input.json").write_text('{"n": 5}')
    words = ["executions", "rerun", first, "--from", "send", "--iteration", "1"]
    edited = [*words, "--step-input", f"@{tmp_path / 'input.json'}", "--idempotency-key", "mine"]
    done = [command(*edited) for _ in range(2)]
    assert [each.exit_code for each in done] == [0, 0]
    second = newest(command)["execution_id"]
    for each in done:
        assert each.stdout.startswith(f"Queued as {second}; a worker runs it.\n")
        assert each.stdout.endswith("It runs, or may: send (external).\n")
    (tmp_path / "gate").touch()
    command("executions", "resume", second)
    assert newest(command)["output_data"]["sent"] == 5
    command(*words, "--step-output", '{"sent": 9}', "--version", "1")
    command("executions", "resume", newest(command)["execution_id"])
    assert newest(command)["output_data"]["sent"] == 9
    command("executions", "rerun", first, "--input", '{"n": 7}')
    assert newest(command)["input_data"] == {"n": 7}


def test_many_that_failed_run_again_from_a_step_and_are_left_out_the_next_time(command: Command, sending: str) -> None:
    for _ in range(2):
        failed(command, sending)
    words = ["executions", "rerun", "--status", "failed", "--from", "send"]
    counted = command(*words, "--dry-run")
    assert squeezed(counted.stdout) == [
        "2 executions would be queued again.",
        "Steps that run again, or may, and have effects, or may:",
        "STEP EFFECT EXECUTIONS",
        "send external 2",
    ]
    assert command(*words, "--yes").stdout == "2 executions queued again.\n"
    again = command(*words, "--yes")
    assert (again.exit_code, squeezed(again.stdout)[0]) == (0, "0 executions queued again.")
    assert "2 have a re-run already" in again.stdout


def test_many_that_failed_go_on_where_workers_find_their_code(command: Command, sending: str, tmp_path: Path) -> None:
    first, second = [failed(command, sending) for _ in range(2)]
    words = ["executions", "resume", "--status", "failed"]
    dry = command(*words, "--dry-run")
    assert squeezed(dry.stdout) == [
        "2 executions would be put back into the queue.",
        "Steps that run again, or may, and have effects, or may:",
        "STEP EFFECT EXECUTIONS",
        "send external 2",
    ]
    token = json.loads(command(*words, "--dry-run", "--json").stdout)["token"]
    failed(command, sending)
    (tmp_path / "elsewhere").mkdir()
    elsewhere = command("executions", "resume", "--token", token, "--pipelines", str(tmp_path / "elsewhere"), "--yes")
    assert (elsewhere.exit_code, elsewhere.stdout) == (1, "0 executions put back into the queue.\n")
    assert command("executions", "resume", "--token", token).exit_code == 2
    with_reason = ["--reason", "It is open.", "--idempotency-key", "mine", "--yes"]
    done = command("executions", "resume", "--token", token, *with_reason)
    assert (done.exit_code, done.stdout) == (0, "2 executions put back into the queue.\n")
    listed = json.loads(command("executions", "list", "--json").stdout)["items"]
    assert [row["status"] for row in listed] == ["failed", "pending", "pending"]
    again = command("executions", "resume", first, second, *with_reason)
    assert (again.exit_code, "there is nothing to resume" in again.stderr) == (1, True)
    wrong = command(*words, "--take-over", "--yes")
    assert (wrong.exit_code, "are of one execution" in wrong.stderr) == (2, True)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--iteration", "1"], "expected --from too"),
        (["--step-input", "{}"], "expected --from too"),
        (["--from", "send", "--input", "{}"], "with --from: --step-input"),
        (["--from", "send", "--step-input", "{}", "--step-output", "{}"], "does not run"),
        (["--from", "send", "--step-input", "[]"], "found a list; expected an object"),
        (["--from", "send", "--step-output", "null"], "found null, which is no result"),
        (["--token", "x"], "Expected ids, or else filters"),
    ],
)
def test_what_does_not_go_together_is_said_before_anything_is_done(
    nowhere: Command, words: list[str], expected: str
) -> None:
    result: Any = nowhere("executions", "rerun", "mine", *words)
    assert result.exit_code == 2
    assert expected in " ".join(result.stderr.replace("│", "").split())


def test_a_resume_says_what_it_runs_before_it_does(command: Command, sending: str, tmp_path: Path) -> None:
    first = failed(command, sending)
    plan = command("executions", "resume", first, "--dry-run")
    assert squeezed(plan.stdout) == [
        "STEP EFFECT",
        "kept read",
        "runs send external",
        "Nothing was changed: without --dry-run it goes on.",
    ]
    assert newest(command)["status"] == "failed"
    queued = command("executions", "resume", first, "--queue", "--reason", "It is open.", "--idempotency-key", "mine")
    assert queued.stdout.endswith("It runs, or may: send (external).\n")
    assert command("executions", "resume", first, "--queue", "--idempotency-key", "mine").exit_code == 0
    (tmp_path / "gate").touch()
    done = command("executions", "resume", first)
    assert done.exit_code == 0
    assert "It runs, or may: send (external)." in done.stderr
    alone = command("executions", "resume", first, "--idempotency-key", "mine")
    assert (alone.exit_code, "are for --queue" in " ".join(alone.stderr.split())) == (2, True)


def test_only_the_failed_items_of_a_map_run_again(command: Command, tmp_path: Path) -> None:
    (tmp_path / "lists.py").write_text(STEPS)
    send = {"id": "send", "module": "lists", "step_class": "SendEach", "config": {"gate": str(tmp_path / "gate")}}
    mapped = {"over": "{parameters.numbers}", "key": "{item.n}", "on_item_failure": "continue"}
    parameters = [{"name": "numbers", "default": [{"n": 1}, {"n": 2}, {"n": 3}]}]
    steps = [{"id": "read", "module": "lists", "step_class": "Read"}, {**send, "map": mapped}]
    flow = {"start_at": "read", "paths": [{"from": "read", "to": "send"}]}
    path = tmp_path / "lists.json"
    path.write_text(json.dumps({"name": "Lists", "parameters": parameters, "steps": steps, "flow": flow}))
    assert command("run", str(path)).exit_code == 0
    words = ["executions", "rerun", newest(command)["execution_id"], "--items", "failed"]
    plan = command(*words, "--from", "send", "--dry-run")
    assert squeezed(plan.stdout)[1:3] == ["kept read", "runs send: 1 item kept, 2 run not said: may have effects"]
    alone = command(*words)
    assert (alone.exit_code, "are of a step; expected --from too" in squeezed_all(alone.output)) == (2, True)
    beside = command(*words, "--from", "send", "--step-output", "{}")
    assert (beside.exit_code, "what is kept had the old input" in squeezed_all(beside.output)) == (2, True)
    no_map = command(*words, "--from", "read")
    assert (no_map.exit_code, "which has no map" in squeezed_all(no_map.output)) == (1, True)
    (tmp_path / "gate").touch()
    queued = command(*words, "--from", "send")
    assert queued.stdout.endswith("Of send: 1 item kept, 2 run.\n")
    again = newest(command)["execution_id"]
    command("executions", "resume", again)
    assert newest(command)["output_data"]["send"]["items"] == [1, 2, 3]
    nothing = command("executions", "rerun", again, "--from", "send", "--items", "failed")
    assert (nothing.exit_code, "of which no item has failed" in squeezed_all(nothing.output)) == (1, True)


def squeezed_all(text: str) -> str:
    return " ".join(text.replace("│", " ").split())
