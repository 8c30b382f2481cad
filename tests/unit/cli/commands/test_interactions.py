"""Questions to people on the command line."""

import asyncio
import json
from typing import Any

import pytest

from ia_modules import Client, Flow
from tests.unit.cli.conftest import Command

SCHEMA = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}


@pytest.fixture
def question_id(database_url: str) -> str:
    """Of a program's own execution, for two of three people."""
    return asyncio.run(_ask(database_url, answers=2, assigned_users=["ann", "bob", "cleo"]))


async def _ask(database_url: str, **config: Any) -> str:
    flow = Flow("Approve")
    flow.ask("ask", prompt="Ship\x1b[2J it?", ui_schema=SCHEMA, **config)
    async with Client(database_url) as client:
        return (await client.run(flow, new_version=True))["interaction_id"]


def test_questions_are_listed_by_whom_they_are_assigned_to(command: Command, question_id: str) -> None:
    header, line = command("interactions", "list").stdout.splitlines()
    assert header.split()[:2] == ["ID", "STATUS"]
    assert line.startswith(f"{question_id}  pending  Approve / ask")
    assert "ann, bob, cleo" in line
    assert "\x1b" not in line
    assert question_id in command("interactions", "list", "--assigned-to", "bob", "--pipeline", "approve").stdout
    for nothing in (("--assigned-to", "eve"), ("--status", "answered"), ("--pipeline", "nobody")):
        assert command("interactions", "list", *nothing).stdout == "No questions.\n"
    page = json.loads(command("interactions", "list", "--status", "any", "--json").stdout)
    assert ([item["interaction_id"] for item in page["items"]], page["next_cursor"]) == ([question_id], None)


def test_a_question_is_answered_by_as_many_as_it_needs(command: Command, question_id: str) -> None:
    def respond(name: str, response: str) -> Any:
        return command("interactions", "respond", question_id, "--as", name, "--response", response)

    wrong = respond("ann", '{"ok": "yes"}')
    assert wrong.exit_code == 1
    assert "response.ok" in wrong.stderr
    stranger = respond("eve", '{"ok": true}')
    assert stranger.exit_code == 1
    assert "assigned to: ann, bob, cleo" in stranger.stderr
    nobody = command("interactions", "respond", question_id, "--response", '{"ok": true}')
    assert (nobody.exit_code, "no name" in nobody.stderr) == (1, True)
    kept = respond("ann", '{"ok": true}')
    assert (kept.exit_code, kept.stdout) == (0, "Kept. 1 of 2; it goes on when that is decided.\n")
    done = respond("bob", '{"ok": false}')
    assert done.stdout.startswith("Answered. Go on with its execution: ia-modules executions resume ")
    late = respond("cleo", '{"ok": true}')
    assert late.exit_code == 1
    assert "already answered by bob, since 20" in late.stderr
    assert respond("ann", '{"ok": true}').exit_code == 0
    report = command("interactions", "show", question_id).stdout
    assert 'ann (not verified): {"ok":true}' in report
    shown = json.loads(command("interactions", "show", question_id, "--json").stdout)
    assert [each["actor"] for each in shown["responses"]] == ["ann", "bob"]


def test_a_question_is_shown_with_how_to_answer_it(command: Command, question_id: str) -> None:
    lines = [" ".join(line.split()) for line in command("interactions", "show", question_id).stdout.splitlines()]
    assert lines[0] == "Ship\ufffd[2J it?"
    assert "pipeline Approve v1, step ask" in lines
    assert "assigned to ann, bob, cleo" in lines
    assert "answers 0 of 2" in lines
    assert f"answer {json.dumps(SCHEMA, separators=(',', ':'))}" in lines
    assert lines[-1].startswith(f"Answer it: ia-modules interactions respond {question_id}")
    assert command("interactions", "show", question_id[:-1]).exit_code == 0
    missing = command("interactions", "show", "nothing")
    assert (missing.exit_code, "No interaction" in missing.stderr) == (1, True)


def test_a_question_is_assigned_to_others(command: Command, question_id: str) -> None:
    too_few = command("interactions", "assign", question_id, "dan")
    assert (too_few.exit_code, "at least 2 names" in too_few.stderr) == (1, True)
    done = command("interactions", "assign", question_id, "dan", "eve", "--as", "op")
    assert done.stdout == "Assigned to dan, eve. 0 of 2.\n"
    anybody = json.loads(command("interactions", "assign", question_id, "--json").stdout)
    assert anybody["assigned_users"] == []


def test_an_answer_may_come_from_a_file_or_from_standard_input(command: Command, database_url: str) -> None:
    question_id = asyncio.run(_ask(database_url))
    wrong = command("interactions", "respond", question_id, "--response", "-", stdin="{")
    assert (wrong.exit_code, "--response" in wrong.stderr) == (2, True)
    assert command("interactions", "respond", question_id, "--response", "-", stdin='{"ok": true}').exit_code == 0
    shown = json.loads(command("interactions", "show", question_id, "--json").stdout)
    assert shown["actor"].startswith("cli:")
    assert (shown["verified"], shown["response"]) == (False, {"ok": True})
