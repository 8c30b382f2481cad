# pyright: reportUnusedExpression=false
"""Parallel branches that write one key, and what results of steps contribute to the state: on every journal."""

from itertools import combinations
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ia_modules import Flow
from ia_modules.errors import LostUpdate, PipelineInputError, StepOutputError
from ia_modules.models import LogLevel, StepStatus
from ia_modules.pipeline.authoring import when
from ia_modules.pipeline.causality import causal_ancestors
from ia_modules.pipeline.core import Step
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.merging import conflicts
from ia_modules.pipeline.runner import Runner
from ia_modules.pipeline.tokens import GraphState, StepRunKey
from tests.unit.pipeline.factories import document, graph
from tests.unit.pipeline.programs import Code, nothing, recorded, started
from tests.unit.pipeline.simulation import Simulation
from tests.unit.pipeline.test_timing import at_random, simulations
from tests.unit.pipeline.test_tokens import Play

DIAMOND: list[Any] = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]


def diamond(**keys: Any) -> dict[str, Any]:
    return document("a", "b", "c", "d", paths=DIAMOND, **keys)


def gives(**result: Any) -> Any:
    async def give(data: dict[str, Any]) -> dict[str, Any]:
        del data
        return result

    return give


def ladder() -> GraphState:
    """From a to b and f; from b to c and d; all of them to e."""
    paths: list[Any] = [("a", "b"), ("a", "f"), ("b", "c"), ("b", "d"), ("c", "e"), ("d", "e"), ("f", "e")]
    play = Play(graph("a", "b", "c", "d", "e", "f", paths=paths))
    for step_id, to in (("a", "b f"), ("b", "c d"), ("c", "e"), ("d", "e"), ("f", "e")):
        play.does(step_id, to=to)
    return play.state


def test_keys_that_branches_wrote_since_they_parted_meet_where_they_join() -> None:
    state = ladder()
    written = {"a": "x", "b": "x y", "c": "z", "d": "z", "f": "y v", "e": ""}
    parents = [StepRunKey(step_id, 1) for step_id in ("c", "d", "f")]
    found = conflicts(state, parents, lambda key: written[key.step_id].split())
    assert [(each.key, [run.step_id for run in each.runs]) for each in found] == [("y", ["f", "b"]), ("z", ["c", "d"])]
    assert conflicts(state, parents[:1], lambda key: "xyz") == []


def test_what_met_at_an_earlier_join_meets_again_where_the_branches_come_on_their_own_too() -> None:
    paths = [*DIAMOND, ("b", "e"), ("c", "e"), ("d", "e")]
    play = Play(graph("a", "b", "c", "d", "e", paths=paths))
    for step_id, to in (("a", "b c"), ("b", "d e"), ("c", "d e"), ("d", "e")):
        play.does(step_id, to=to)
    wrote = {"b": "x", "c": "x"}
    for parents, keys in (("bcd", ["x"]), ("bd", []), ("d", [])):
        found = conflicts(
            play.state, [StepRunKey(each, 1) for each in parents], lambda key: wrote.get(key.step_id, "").split()
        )
        assert [each.key for each in found] == keys


Ancestors = dict[StepRunKey, set[StepRunKey]]


def by_definition(parents: tuple[StepRunKey, ...], above: Ancestors, written: dict[StepRunKey, set[str]]) -> set[str]:
    """Keys that two runs wrote of which each leads to a parent to which the other does not."""
    through = [above[parent] | {parent} for parent in parents]
    met: set[str] = set()
    for one, other in combinations(set[StepRunKey]().union(*through), 2):
        has_each_alone = {(one in branch, other in branch) for branch in through} >= {(True, False), (False, True)}
        if has_each_alone:
            met |= written[one] & written[other]
    return met


@settings(max_examples=15, deadline=None)
@given(simulations(), st.integers(0, 2**32))
def test_conflicts_are_those_of_the_definition_for_every_timing(simulation: Simulation, timing: int) -> None:
    state = simulation.run(lambda _: 0).state
    assume(len(state.runs) <= 25)
    other = Simulation(simulation.graph, simulation.input_data, simulation.seed).run(at_random(timing)).state
    random = Random(timing)
    written = {key: set(random.sample("abc", random.randrange(4))) for key in sorted(state.runs)}
    counted = {key: keys if state.runs[key].status is StepStatus.COMPLETED else set() for key, keys in written.items()}
    above = {key: set(causal_ancestors(state, run.parents)) for key, run in state.runs.items()}
    for key, run in state.runs.items():
        found = conflicts(state, run.parents, written.__getitem__)
        assert found == conflicts(other, run.parents, written.__getitem__)
        assert {each.key for each in found} == by_definition(run.parents, above, counted), key


def test_only_the_runs_since_the_branches_parted_are_looked_at() -> None:
    """A loop of joins: what each looks at does not grow with what was before."""
    paths: list[Any] = [*DIAMOND, ("d", "a", "parameter:x")]
    play = Play(graph("a", "b", "c", "d", paths=paths))
    seen: list[StepRunKey] = []

    def look_at(key: StepRunKey) -> tuple[str, ...]:
        seen.append(key)
        return ()

    for number in range(1, 51):
        for step_id, to in (("a", "b c"), ("b", "d"), ("c", "d"), ("d", "a")):
            play.does(step_id, to=to)
        conflicts(play.state, [StepRunKey("b", number), StepRunKey("c", number)], look_at)
        assert len(seen) == 2 * number


async def test_branches_that_wrote_one_key_leave_a_warning_at_their_join(journal: OperatorJournal) -> None:
    run = await started(journal, diamond(), a=gives(draft=0, x=1), b=gives(draft=1, own=1), c=gives(draft=2), d=nothing)
    result = await run.to_end()
    assert result["output"]["draft"] == 2, "the later path in the file"
    changes = await journal.changes(run.execution_id)
    _, steps = await recorded(journal, run.execution_id)
    join = next(step.step_execution_id for step in steps if step.step_id == "d")
    (line,) = changes.logs
    assert (line.level, line.step_execution_id) == (LogLevel.WARNING, join)
    assert line.message == (
        "Overwritten: the steps 'b' and 'c' ran at the same time, and both wrote 'draft'. The value from the later "
        "path in the file is kept. Let one of them write another key, or give merge a rule for it that keeps both: "
        "append, extend, sum or update."
    )


@pytest.mark.parametrize("merge", [{"draft": "error"}, {"*": "error", "x": "last"}])
async def test_a_lost_update_fails_the_step_in_which_branches_join(
    journal: OperatorJournal, merge: dict[str, str]
) -> None:
    ran: list[str] = []

    async def join(data: dict[str, Any]) -> dict[str, Any]:
        del data
        ran.append("d")
        return {}

    code: dict[str, Code] = {"a": gives(draft=0), "b": gives(draft=1, x=1), "c": gives(draft=2, x=2)}
    written = diamond(merge=merge, error_handling={"retry": {"max_attempts": 3, "initial_delay": 0}})
    run = await started(journal, written, None, **code, d=join)
    with pytest.raises(LostUpdate) as lost:
        await run.to_end()
    assert (lost.value.step_id, lost.value.key, lost.value.runs) == ("d", "draft", (("b", 1), ("c", 1)))
    assert str(lost.value) == (
        "Step 'd' failed: the steps 'b' and 'c' ran at the same time, and both wrote 'draft'. Let one of them write "
        "another key, or give merge a rule for it that keeps both: append, extend, sum or update."
    )
    resumed = await Runner(journal).resume(run.pipeline, run.execution_id)
    with pytest.raises(LostUpdate):
        await resumed.to_end()
    assert ran == []


async def test_a_chain_writes_a_key_as_often_as_it_likes(journal: OperatorJournal) -> None:
    written = document("a", "b", "c", paths=[("a", "b"), ("b", "c")], merge={"*": "error"})
    run = await started(journal, written, None, a=gives(x=1), b=gives(x=1), c=gives(x=1))
    assert (await run.to_end())["status"] == "completed"
    assert (await journal.changes(run.execution_id)).logs == ()


async def test_a_failure_that_is_gone_on_from_is_no_update_that_is_lost(journal: OperatorJournal) -> None:
    async def fails(data: dict[str, Any]) -> dict[str, Any]:
        raise ValueError("no")

    written = diamond(merge={"*": "error"}, error_handling={"continue_on_error": True})
    run = await started(journal, written, a=nothing, b=fails, c=fails, d=nothing)
    assert (await run.to_end())["status"] == "completed"


async def test_contributions_of_a_loop_with_branches_are_folded_once_each_and_in_order(
    journal: OperatorJournal,
) -> None:
    seen: list[Any] = []
    flow = Flow(
        "Chat", merge={"messages": "extend", "cost": "sum", "log": "append", "facts": "update"}, slug="chat-of-branches"
    )

    def says(name: str) -> Any:
        def say(data: dict[str, Any]) -> dict[str, Any]:
            seen.append((name, data["messages"], data["cost"]))
            return {
                "messages": [name],
                "cost": 0.1,
                "log": name,
                "facts": {name: data["cost"]},
            } | ({"turn": len(data["messages"])} if name == "join" else {})

        return say

    think, left, right, join = (flow.add(says(name), id=name) for name in ("think", "left", "right", "join"))
    think >> [left, right] >> join
    join >> when("turn", "<", 7) >> think
    result = await (await Runner(journal).start(flow.load(), {"messages": ["hello"], "cost": 1})).to_end()
    once = ["think", "left", "right", "join"]
    output = result["output"]
    assert (output["messages"], output["cost"], output["log"]) == (["hello", *once, *once], 1.8, [*once, *once])
    assert output["think"]["messages"] == ["think"], "a step's own result stays its own"
    assert list(output["facts"]) == once
    assert [(name, messages) for name, messages, _ in seen if name == "join"] == [
        ("join", ["hello", *once[:3]]),
        ("join", ["hello", *once, *once[:3]]),
    ]
    assert (await journal.changes(result["execution_id"])).logs == ()


class Contributes(Step):
    """Gives what does not fit, once or always, and can make good for it."""

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"cost": 1 if data.get("right") and self.context.attempt > 1 else "much"}

    async def fallback(self, data: dict[str, Any], error: Exception) -> dict[str, Any]:
        return {"cost": 5}


async def test_a_contribution_that_does_not_fit_fails_the_step_that_gave_it(journal: OperatorJournal) -> None:
    run = await started(
        journal, document("a", "b", paths=[("a", "b")], merge={"cost": "sum"}), a=Contributes, b=nothing
    )
    with pytest.raises(StepOutputError) as wrong:
        await run.to_end()
    assert str(wrong.value) == (
        "Step 'a' failed: its result cannot be merged into the state:\n"
        "- result.cost: found a text; expected a number: merge.cost is sum."
    )
    _, steps = await recorded(journal, run.execution_id)
    assert [(step.step_id, step.status.value, step.output_data) for step in steps] == [("a", "failed", None)]


@pytest.mark.parametrize(
    ("handling", "input_data", "cost", "attempts"),
    [
        ({"continue_on_error": True}, {}, 10, ["failed"]),
        ({"enable_fallback": True}, {}, 15, ["completed"]),
        ({"retry": {"max_attempts": 2, "initial_delay": 0}}, {"right": True}, 11, ["failed", "completed"]),
    ],
)
async def test_error_handling_holds_for_a_contribution_that_does_not_fit(
    journal: OperatorJournal, handling: dict[str, Any], input_data: dict[str, Any], cost: int, attempts: list[str]
) -> None:
    run = await started(
        journal,
        document("a", merge={"cost": "sum"}, error_handling=handling),
        {"cost": 10, **input_data},
        a=Contributes,
    )
    assert (await run.to_end())["output"]["cost"] == cost
    _, steps = await recorded(journal, run.execution_id)
    assert [step.status.value for step in steps] == attempts


async def test_a_question_contributes_what_its_step_returned_and_the_answer(journal: OperatorJournal) -> None:
    question = {"id": "ask", "type": "human_input", "config": {"prompt": "And?"}}
    paths: list[Any] = [("ask", "asks"), ("asks", "end")]
    merge = {"human_input": "append", "cost": "sum"}
    written = document(question, "asks", paths=paths, merge=merge)
    run = await started(journal, written, asks=gives(status="human_input_required", cost=3))
    for answer in ("yes", None):
        await run.to_end()
        (pending,) = [each for each in await journal.get_interactions(run.execution_id) if each.status == "pending"]
        await journal.answer_interaction(pending.interaction_id, answer, actor="ann")
        run = await Runner(journal).resume(run.pipeline, run.execution_id)
    output = (await run.to_end())["output"]
    assert (output["human_input"], output["cost"]) == (["yes", None], 3)


async def test_a_question_whose_result_does_not_fit_is_not_put(journal: OperatorJournal) -> None:
    run = await started(
        journal, document("a", merge={"cost": "sum"}), a=gives(status="human_input_required", cost="much")
    )
    with pytest.raises(StepOutputError):
        await run.to_end()
    assert await journal.get_interactions(run.execution_id) == []


@pytest.mark.parametrize("file_format", [None, "0.2"])
async def test_an_input_that_nothing_can_be_merged_into_is_refused(
    journal: OperatorJournal, file_format: str | None
) -> None:
    keys: dict[str, Any] = {} if file_format is None else {"format": file_format}
    with pytest.raises(
        PipelineInputError, match=r"\$\.messages: found null; expected a list: merge.messages is extend"
    ):
        await started(journal, document("a", merge={"messages": "extend"}, **keys), {"messages": None}, a=nothing)
