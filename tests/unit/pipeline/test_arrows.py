# pyright: reportUnusedExpression=false
"""Branches, ends and conditions between the steps of a flow: the paths that they write, and what is refused."""

from typing import Any

import pytest

from ia_modules.errors import InvalidArgument, PipelineDefinitionError
from ia_modules.pipeline.arrows import end, finish, first, otherwise, when
from ia_modules.pipeline.authoring import Flow
from ia_modules.pipeline.loader import load


def agent(**keys: Any) -> tuple[Flow, Any, Any, Any]:
    """A flow with three steps, whose paths are to be written."""
    flow = Flow("Agent", parameters={"budget": 5}, **keys)

    @flow.step(max_iterations=4)
    def think(data: dict[str, Any]) -> dict[str, Any]:
        return {"used": data.get("used", 0) + 3, "more": True}

    @flow.step
    def act(data: dict[str, Any]) -> dict[str, Any]:
        return {}

    @flow.step
    def stop(data: dict[str, Any]) -> dict[str, Any]:
        return {"stopped": True}

    return flow, think, act, stop


async def test_of_branches_the_first_that_holds_is_taken() -> None:
    flow, think, act, stop = agent()
    branches = first(
        when("result.used", ">", "{parameters.budget}") >> stop, when("result.more") >> act, otherwise >> end
    )
    for _ in range(2):  # a cell that is run again changes nothing
        assert [each.id for each in (think >> branches).ends()] == ["stop", "act"]
    act >> think
    stop >> finish
    written = flow.definition.to_json()
    assert [step.get("route") for step in written["steps"]] == ["first", None, None]
    assert written["steps"][0]["max_iterations"] == 4
    assert [(path["from_step"], path["to_step"], path.get("ends")) for path in written["flow"]["paths"]] == [
        ("think", "stop", None),
        ("think", "act", None),
        ("think", "end", None),
        ("act", "think", None),
        ("stop", "end", "execution"),
    ]
    assert load(written).definition == flow.definition
    result = await flow.run()
    assert [step["step_name"] for step in result["steps"]] == ["think", "act", "think", "stop"]
    assert flow.load().warnings == ()


def test_the_same_written_without_first_is_warned_of() -> None:
    flow, think, act, stop = agent()
    think >> when("result.used", ">", "{parameters.budget}") >> stop
    think >> when("result.more") >> act >> think
    [warning] = flow.load().warnings
    assert "paths of 'think' to 'stop' and 'act' can both hold" in str(warning)


def test_a_flow_says_how_many_paths_are_taken_and_a_group_may_end() -> None:
    flow, think, act, stop = agent(route="first")
    think >> [act, stop] >> when("result.stopped") >> end
    [act, stop] >> finish
    written = flow.definition.to_json()["flow"]
    assert written["route"] == "first"
    assert [(path["from_step"], path["to_step"]) for path in written["paths"]][2:] == [
        ("act", "end"),
        ("stop", "end"),
    ] * 2
    assert think >> first(when("result.more") >> act) is not None


def test_what_is_no_branch_is_refused_where_it_is_written() -> None:
    flow, think, act, _ = agent()
    holds: Any = when("result.more")
    with pytest.raises(
        InvalidArgument, match="branches of first cannot be used: found nothing; expected branches such"
    ):
        first()
    with pytest.raises(InvalidArgument, match="found <step 'act' of 'Agent'>; expected branches such as when"):
        first(act)
    with pytest.raises(InvalidArgument, match="expected one step, end or finish after its condition"):
        holds >> [think, act]
    with pytest.raises(InvalidArgument, match=r"write \(when\(...\) & when\(...\)\) >> step"):
        holds & holds >> act
    with pytest.raises(InvalidArgument, match="source of a path cannot be used.*a step, or several, before 'act'"):
        (holds >> think) >> act
    with pytest.raises(InvalidArgument, match="a step, or several, before 'act'"):
        end >> act
    all_of_them: Any = flow.add(len, id="all", route="all")
    with pytest.raises(InvalidArgument, match="after step 'all', which has route='all'; expected one of them"):
        all_of_them >> first(holds >> act)


def test_otherwise_twice_in_first_is_refused() -> None:
    flow, think, act, stop = agent()
    think >> first(otherwise >> act, otherwise >> stop)
    with pytest.raises(PipelineDefinitionError, match="a second else after 'think'"):
        flow.load()
