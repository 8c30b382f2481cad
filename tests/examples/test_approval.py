import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from examples.approval import contract
from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import AlreadyAnswered, InvalidAnswer, StepError
from ia_modules.models import ExecutionStatus, InteractionRecord
from ia_modules.pipeline.runner import read_pipeline_file
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.examples.runs import EXAMPLES, Recorded, recorded_of, routes, taken

FOLDER = EXAMPLES / "approval"


class Approval:
    """One execution of the example. Each time it goes on from the records alone, as another process would."""

    def __init__(self, tracker: ExecutionTracker, database: DatabaseManager, **input_data: Any) -> None:
        self._tracker, self._client, self._input = tracker, Client(database, tracker=tracker), input_data
        self._database = database
        self.execution_id = ""

    async def begin(self) -> InteractionRecord:
        """Run it until it asks."""
        result = await self._client.run(FOLDER / "pipeline.json", self._input)
        assert result["status"] == "waiting_for_human"
        self.execution_id = result["execution_id"]
        return await self.question()

    async def question(self) -> InteractionRecord:
        """The newest question."""
        newest = (await self._tracker.get_interactions(self.execution_id))[-1]
        return await self._client.interaction(newest.interaction_id)

    async def answer(self, actor: str, decision: str, comment: str = "") -> None:
        response = {"decision": decision} | ({"comment": comment} if comment else {})
        await self._client.answer((await self.question()).interaction_id, response, actor=actor)

    async def go_on(self) -> Recorded:
        """Until it ends or asks again."""
        await (await self._client.resume(self.execution_id, pipeline=FOLDER / "pipeline.json")).to_end()
        return await recorded_of(self._tracker, self.execution_id)

    async def overdue(self) -> Recorded:
        """Go on once the time of the question is over: it is said to be now, since a short one may pass before."""
        await self._database.execute_async(
            "UPDATE step_executions SET wake_at = ia_now() WHERE execution_id = :id AND wake_at IS NOT NULL",
            {"id": self.execution_id},
        )
        return await self.go_on()


Begin = Callable[..., Approval]


@pytest.fixture
def approval_of(tracker: ExecutionTracker, database: DatabaseManager) -> Begin:
    """The example with an input."""
    return lambda **input_data: Approval(tracker, database, **input_data)


async def test_two_of_three_approve_what_they_were_shown_and_the_third_is_not_waited_for(
    approval_of: Begin, tracker: ExecutionTracker, tmp_path: Path
) -> None:
    approval = approval_of(register=str(tmp_path / "register"))
    before = await tracker.now()
    question = await approval.begin()
    after = await tracker.now()
    assert (question.assigned_users, question.answers, question.decided_by) == (["ann", "bob", "cleo"], 2, "decision")
    assert question.deadline_at is not None
    assert before <= question.deadline_at - timedelta(days=3) <= after  # however long it took to ask
    assert question.prompt is not None
    assert question.prompt.startswith("Approve the **Hosting agreement**, EUR 48,000 a year?")
    data: Any = question.data
    assert data["contract"]["concerns"][0]["clause"] == "2. Term"

    await approval.answer("ann", "approve")
    assert (await approval.question()).status == "pending"
    await approval.answer("bob", "reject", "twelve percent!")
    await approval.answer("bob", "approve", "well, it is the only one")
    recorded = await approval.go_on()
    assert recorded.execution.status is ExecutionStatus.COMPLETED
    assert recorded.output == {
        "decision": "approve",
        "by": ["ann", "bob"],
        "against": [],
        "comments": {"bob": "well, it is the only one"},
        "record_file": str((tmp_path / "register").resolve() / "contract.approval.json"),
    }
    assert [len((await approval.question()).responses), recorded.attempts("escalate")] == [3, []]
    assert json.loads((tmp_path / "register" / "contract.approval.json").read_text(encoding="utf-8")) == {
        "document": "contract.md",
        "sha256": hashlib.sha256((FOLDER / "contract.md").read_bytes()).hexdigest(),
        "approved_by": ["ann", "bob"],
    }
    assert [path.name for path in (tmp_path / "register").iterdir()] == ["contract.approval.json"]
    with pytest.raises(AlreadyAnswered) as late:
        await approval.answer("cleo", "reject")
    assert late.value.actor == "bob"


async def test_two_who_reject_it_end_it_without_a_record(approval_of: Begin, tmp_path: Path) -> None:
    approval = approval_of(register=str(tmp_path / "register"))
    await approval.begin()
    for actor, decision in (("cleo", "reject"), ("ann", "approve"), ("bob", "reject")):
        await approval.answer(actor, decision)
    recorded = await approval.go_on()
    assert (recorded.output["decision"], recorded.output["by"], recorded.output["against"]) == (
        "reject",
        ["cleo", "bob"],
        ["ann"],
    )
    assert (recorded.output["record_file"], recorded.attempts("record")) == (None, [])
    assert taken(recorded.step("tally")) == ["decline"]
    assert not (tmp_path / "register").exists()


async def test_the_head_decides_when_the_approvers_have_not_agreed_in_time(approval_of: Begin) -> None:
    approval = approval_of()
    await approval.begin()
    with pytest.raises(InvalidAnswer, match="dana"):
        await approval.answer("dana", "approve")
    await approval.answer("ann", "reject")
    recorded = await approval.overdue()
    assert recorded.execution.status is ExecutionStatus.WAITING_FOR_HUMAN
    assert routes(recorded.step("approve"))["escalate"][0] is True
    question = await approval.question()
    assert question.assigned_users == ["dana"]
    assert question.prompt is not None
    assert question.prompt.startswith("The approvers have not agreed in time.\n\nApprove the **Hosting agreement**")
    await approval.answer("dana", "approve")
    recorded = await approval.go_on()
    assert (recorded.output["decision"], recorded.output["by"]) == ("approve", ["dana"])
    assert taken(recorded.step("tally")) == ["record"]


async def test_it_is_rejected_when_nobody_decides_at_all(approval_of: Begin) -> None:
    approval = approval_of()
    await approval.begin()
    await approval.overdue()
    recorded = await approval.overdue()
    assert recorded.output == {
        "decision": "reject",
        "by": ["the deadline"],
        "against": [],
        "comments": {"the deadline": "Nobody decided in time."},
        "record_file": None,
    }


async def test_what_was_changed_after_it_was_shown_is_not_approved(
    approval_of: Begin, tracker: ExecutionTracker, tmp_path: Path
) -> None:
    document = tmp_path / "contract.md"
    document.write_bytes((FOLDER / "contract.md").read_bytes())
    approval = approval_of(document=str(document), register=str(tmp_path / "register"))
    await approval.begin()
    await approval.answer("ann", "approve")
    document.write_text(document.read_text(encoding="utf-8").replace("48,000", "84,000"), encoding="utf-8")
    await approval.answer("bob", "approve")
    with pytest.raises(StepError, match=r"contract\.md has changed since it was read"):
        await approval.go_on()
    recorded = await recorded_of(tracker, approval.execution_id)
    assert recorded.execution.status is ExecutionStatus.FAILED
    assert not (tmp_path / "register").exists()


async def test_each_step_says_what_it_does_outside() -> None:
    loaded = await read_pipeline_file(FOLDER / "pipeline.json")
    assert {step.id: step.effect for step in loaded.definition.steps} == {
        "read": "read",
        "approve": "pure",
        "escalate": "pure",
        "tally": "pure",
        "record": "write",
        "decline": "pure",
    }


def test_a_contract_is_read_clause_by_clause_and_looked_through() -> None:
    read = contract.read_contract(FOLDER / "contract.md")
    assert [clause.title for clause in read.clauses] == [
        "Subject",
        "Term",
        "Fees",
        "Service",
        "Data",
        "Liability",
        "Law",
    ]
    assert [(each.clause.number, each.why.split()[0]) for each in contract.concerns(read)] == [
        (2, "it"),
        (3, "it"),
        (3, "it"),
        (5, "personal"),
        (6, "somebody"),
    ]


@pytest.mark.parametrize(
    ("text", "fee", "found"),
    [
        ("# Small\n\n## 1. All\n\nPaid within 30 days. It may raise the fees by up to 5 %.", None, []),
        ("## 1. Fee\n\nEUR 1,200 a year within 29 days", 1200, ["it must be paid within 29 days; 30 are usual"]),
        ("## 1. Fee\n\nMay raise the fees by\nup to 6 %", None, ["it may become 6 % dearer a year; 5 % are usual"]),
    ],
)
def test_only_what_is_unusual_is_a_concern(tmp_path: Path, text: str, fee: int | None, found: list[str]) -> None:
    path = tmp_path / "small.md"
    path.write_text(text, encoding="utf-8")
    read = contract.read_contract(path)
    assert (read.yearly_fee_eur, [each.why for each in contract.concerns(read)]) == (fee, found)


def test_what_has_no_clauses_is_no_contract(tmp_path: Path) -> None:
    path = tmp_path / "letter.md"
    path.write_text("# Dear Sir\n", encoding="utf-8")
    with pytest.raises(ValueError, match="has no clauses: headings such as '## 3. Fees' were expected"):
        contract.read_contract(path)
