# pyright: reportUnusedExpression=false
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import InvalidArgument, PipelineDefinitionError
from ia_modules.pipeline.authoring import Flow, end, finish, first, otherwise, when
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.core import Step
from ia_modules.pipeline.loader import load
from ia_modules.pipeline.runner import run_pipeline_from_json
from ia_modules.pipeline.step_modules import StepModules

FLOW = """
from ia_modules.pipeline.authoring import Flow, otherwise, when
from ia_modules.pipeline.core import Step

outputs = {"verdict": "{steps.say.output.verdict} | few"}
flow = Flow("Count words", parameters={"text": "a b", "least": 2}, outputs=outputs)

@flow.step
async def split(data):
    return {"words": data["text"].split()}

@flow.step(timeout_seconds=5, retry={"max_attempts": 2})
def count(data):
    return {"count": len(data["words"])}

@flow.step
def longest(data):
    return {"longest": max(data["words"], key=len)}

@flow.step
def join(data):
    return {}

class Say(Step):
    async def run(self, data):
        return {"verdict": f"{self.config['word']}: {data['count']}, longest {data['longest']}"}

say = flow.add(Say, id="say", config={"word": "many"})

split >> [count, longest] >> join
join >> when("count", ">=", "{parameters.least}") >> say
flow.connect("join", "end", "else")
"""


def module_with(text: str, folder: Path) -> dict[str, Any]:
    (folder / "words.py").write_text(text)
    names: dict[str, Any] = {"__name__": "words"}
    exec(compile(text, str(folder / "words.py"), "exec"), names)  # noqa: S102
    return names


async def test_a_flow_runs_like_the_file_that_it_exports(tmp_path: Path) -> None:
    flow: Flow = module_with(FLOW, tmp_path)["flow"]
    (tmp_path / "pipeline.json").write_text(json.dumps(flow.to_json()))
    for input_data, expected in (({"text": "one three"}, "many: 2, longest three"), ({"text": "one"}, "few")):
        from_flow = await flow.run(input_data)
        from_file = await run_pipeline_from_json(tmp_path / "pipeline.json", input_data)
        assert from_flow["output"] == from_file["output"] == {"verdict": expected}
        names = [sorted(step["step_name"] for step in result["steps"]) for result in (from_flow, from_file)]
        assert names[0] == names[1]


async def test_a_step_is_still_the_function_it_was_made_of(tmp_path: Path) -> None:
    names = module_with(FLOW, tmp_path)
    assert await names["split"]({"text": "a b"}) == {"words": ["a", "b"]}
    assert names["count"]({"words": ["a"]}) == {"count": 1}


def test_paths_are_written_the_same_with_and_without_a_checker_that_wants_their_values_used() -> None:
    def written(*, strict: bool) -> dict[str, Any]:
        flow = Flow("Paths")
        a, b, c, d = (flow.add(lambda data: data, id=name) for name in "abcd")
        if strict:
            flow.paths(a >> [b, c] >> d, a >> when("result.n", ">", 3) >> end, d >> first(otherwise >> finish))
        else:
            a >> [b, c] >> d
            a >> when("result.n", ">", 3) >> end
            d >> first(otherwise >> finish)
        return flow.definition.to_json()

    assert written(strict=True) == written(strict=False)


def test_what_is_no_path_of_this_flow_is_refused() -> None:
    flow, other = Flow("Paths"), Flow("Other")
    a, b = flow.add(lambda data: data, id="a"), flow.add(lambda data: data, id="b")
    foreign = other.add(lambda data: data, id="foreign") >> other.add(lambda data: data, id="there")
    for wrong in (a >> when("result.n", ">", 3), when("result.n", ">", 3) >> b, otherwise, None, foreign):
        with pytest.raises(InvalidArgument, match="The paths cannot be used"):
            flow.paths(a >> b, wrong)  # pyright: ignore[reportArgumentType] - the types forbid it


def test_the_model_is_the_one_that_a_file_gives() -> None:
    flow = Flow("Small", description="two steps")

    @flow.step
    async def first(data: dict[str, Any]) -> dict[str, Any]:
        return {}

    second = flow.add(Step, id="second", config={"n": 1}, continue_on_error=True)
    first >> (when("result.ok") & ~when("result.bad", "==", 1) | when("n", ">", 2)) >> second
    first >> otherwise >> second
    name = "test_the_model_is_the_one_that_a_file_gives.<locals>.first"
    ok = {"type": "expression", "source": "result.ok", "operator": "exists", "value": True}
    bad = {"type": "expression", "source": "result.bad", "operator": "==", "value": 1}
    more = {"type": "expression", "source": "n", "operator": ">", "value": 2}
    both = {"type": "all", "conditions": [ok, {"type": "not", "condition": bad}]}
    written = {
        "name": "Small",
        "description": "two steps",
        "steps": [
            {"id": "first", "class": name, "module": __name__},
            {
                "id": "second",
                "class": "Step",
                "module": "ia_modules.pipeline.core",
                "config": {"n": 1},
                "error_handling": {"continue_on_error": True},
            },
        ],
        "flow": {
            "start_at": "first",
            "paths": [
                {"from": "first", "to": "second", "condition": {"type": "any", "conditions": [both, more]}},
                {"from": "first", "to": "second", "condition": "default"},
            ],
        },
    }
    assert flow.definition == load(written).definition


@pytest.mark.parametrize(
    ("short", "written"),
    [
        ({"over": "list.items"}, {"map": "{steps.list.output.items}"}),
        ({"over": "list.found.items", "key": "id"}, {"map": "{steps.list.output.found.items}", "key": "{item.id}"}),
        (
            {"over": "{parameters.items}", "key": "{run.index}-{item.id}", "max_concurrency": 2, "collect": False},
            {
                "map": {
                    "over": "{parameters.items}",
                    "key": "{run.index}-{item.id}",
                    "max_concurrency": 2,
                    "collect": False,
                }
            },
        ),
        (
            {"over": "list.items", "on_item_failure": "continue", "retry": {"max_attempts": 2}, "id": "score"},
            {
                "map": "{steps.list.output.items}",
                "on_item_failure": "continue",
                "retry": {"max_attempts": 2},
                "id": "score",
            },
        ),
    ],
)
def test_the_short_form_of_a_map_says_what_its_keys_say(short: dict[str, Any], written: dict[str, Any]) -> None:
    flows: list[Flow] = []
    for add, keys in ((Flow.map, short), (Flow.add, written)):
        flow = Flow("Map", parameters={"items": []})
        flow.add(plain_shout, id="list") >> add(flow, plain_shout, **keys)
        flows.append(flow)
    assert flows[0].definition == flows[1].definition


async def test_a_step_of_the_short_form_is_its_function_and_runs_for_each_entry() -> None:
    flow = Flow("Squares")

    @flow.step(id="list")
    def find() -> dict[str, list[dict[str, int]]]:
        return {"items": [{"id": 3}, {"id": 5}]}

    def square(id: int) -> int:  # noqa: A002 - the field of an item
        return id * id

    work = flow.map(square, over="list.items", key="id")
    flow.paths(find >> work)
    assert work(2) == 4
    assert (await flow.run())["output"]["square"]["items"] == [9, 25]


@pytest.mark.parametrize("over", ["list", "list.", ".items", "", [1, 2], None])
def test_what_names_no_list_is_refused(over: Any) -> None:
    with pytest.raises(
        InvalidArgument, match=r"over cannot be used: found .*; expected a step and a field of its result"
    ):
        Flow("Map").map(plain_shout, over=over)


@pytest.mark.parametrize("key", ["", 7])
def test_what_names_no_item_is_refused(key: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"key cannot be used: found .*; expected a field of an item"):
        Flow("Map").map(plain_shout, over="list.items", key=key)


def test_a_list_of_a_step_that_is_not_there_is_a_problem_with_its_place() -> None:
    flow = Flow("Map")
    flow.map(plain_shout, over="list.items")
    with pytest.raises(PipelineDefinitionError, match=r"\$\.steps\[0\]\.map.*list"):
        _ = flow.definition


def test_code_without_a_name_of_its_own_runs_but_is_not_exported() -> None:
    flow = Flow("Lambda")
    flow.add(lambda data: {}, id="nameless")
    assert flow.load().definition.steps[0].id == "nameless"
    with pytest.raises(PipelineDefinitionError, match=r"\$\.steps\[0\].*no name of its own"):
        flow.to_json()


async def test_the_id_of_a_step_is_the_name_of_its_function_as_it_stands() -> None:
    flow = Flow("Names")

    @flow.step
    def load_data(data: dict[str, Any]) -> dict[str, Any]:
        return {"rows": 5}

    @flow.step
    def keep_it(data: dict[str, Any]) -> dict[str, Any]:
        return {"kept": True}

    load_data >> when("load_data.rows", ">", 3) >> keep_it
    result = await flow.run({})
    assert [step["step_name"] for step in result["steps"]] == ["load_data", "keep_it"]


async def test_a_person_may_be_asked() -> None:
    flow = Flow("Ask")

    @flow.step
    async def draft(data: dict[str, Any]) -> dict[str, Any]:
        return {"text": "…"}

    draft >> flow.ask("approve", prompt="Publish?")
    result = await flow.run()
    assert (result["status"], result["waiting_step"]) == ("waiting_for_human", "approve")
    assert result["output"]["prompt"] == "Publish?"


def test_a_flow_with_a_mistake_says_where() -> None:
    flow = Flow("Broken")
    flow.connect("here", "there")
    with pytest.raises(PipelineDefinitionError, match=r"\$\.steps"):
        _ = flow.definition


CELLS = [
    "flow = Flow('Notes')",
    "@flow.step\ndef load(data):\n    return {'rows': 1}",
    "@flow.step(timeout_seconds=5)\ndef store(data):\n    return {'stored': data['rows']}\n\nload >> store",
]


def run_cell(names: dict[str, Any], text: str, number: int) -> None:
    """As a notebook does: the code of a cell lies in no file."""
    exec(compile(text, f"<ipython-input-{number}>", "exec"), names)  # noqa: S102


async def test_a_cell_that_is_run_again_replaces_its_step_and_keeps_the_paths() -> None:
    names: dict[str, Any] = {"__name__": "__main__", "Flow": Flow}
    for number, cell in enumerate([*CELLS, *CELLS[1:], CELLS[1].replace("1", "7")]):
        run_cell(names, cell, number)
    flow: Flow = names["flow"]
    written = flow.definition.to_json()
    assert [step["id"] for step in written["steps"]] == ["load", "store"]
    assert written["flow"] == {"start_at": "load", "paths": [{"from_step": "load", "to_step": "store"}]}
    assert (await flow.run())["output"]["stored"] == 7


def test_a_step_in_a_file_is_the_same_only_at_its_own_line(tmp_path: Path) -> None:
    again = """
for _ in range(2):
    @flow.step
    def once_more(data):
        return {}
    say >> once_more >> flow.ask("ok")
"""
    flow: Flow = module_with(FLOW + again, tmp_path)["flow"]
    assert [step.id for step in flow.definition.steps][-3:] == ["say", "once_more", "ok"]
    other = "\n@flow.step\ndef count(data):\n    return {}\n"
    config = "\nflow.add(Say, id='say', config={'word': 'other'})\n"
    question = "\nflow.ask('split')\n"
    for text in (other, config, question):
        with pytest.raises(PipelineDefinitionError, match="a second step"):
            _ = module_with(FLOW + text, tmp_path)["flow"].definition


def says_yes(context: dict[str, Any], parameters: dict[str, Any]) -> bool:
    return True


def test_a_flow_is_loaded_once_until_something_of_it_changes() -> None:
    config: dict[str, Any] = {"least": 1}
    flow = Flow("Changes")
    one, two = flow.add(plain_shout, id="one", config=config), flow.add(plain_shout, id="two")
    one >> when(says_yes) >> two
    changes: list[Callable[[], Any]] = [
        lambda: None,
        lambda: config.update(least=True),  # which equals 1, and is another value
        lambda: setattr(flow, "description", "now with words"),
        lambda: two >> flow.add(plain_shout, id="three"),
        lambda: flow.connect("two", "end", "else"),
        lambda: flow._code.update(two=shout),
    ]
    loaded: list[LoadedPipeline] = []
    for change in changes:
        change()
        loaded.append(flow.load())
        assert flow.load() is loaded[-1]
    assert len({id(each) for each in loaded}) == len(changes)


def test_a_path_that_is_added_twice_is_one() -> None:
    flow = Flow("Twice")
    first, second = flow.ask("first"), flow.ask("second")
    _ = first >> second
    _ = first >> second
    _ = first >> when("n", ">", 1) >> second
    assert len(flow.definition.flow.paths) == 2


async def test_the_functions_of_conditions_run_as_the_objects_they_are() -> None:
    flow = Flow("Choose")
    start, less, more = (flow.add(lambda data: {}, id=name) for name in ("start", "less", "more"))
    start >> when(lambda context, parameters: context["n"] < parameters["limit"], limit=3) >> less
    start >> (when(lambda context, parameters: context["n"] >= 3) & when("n")) >> more
    for number, taken in ((1, "less"), (5, "more")):
        result = await flow.run({"n": number})
        assert [step["step_name"] for step in result["steps"]] == ["start", taken]
    with pytest.raises(PipelineDefinitionError, match=r"\$\.flow\.paths: found .*<lambda>#2"):
        flow.to_json()


def decorated(code: Any) -> Any:
    @functools.wraps(code)
    def inner(data: Any) -> Any:
        return {"text": code(data)["text"].upper()}

    return inner


@decorated
def shout(data: dict[str, Any]) -> dict[str, Any]:
    return {"text": "quiet"}


def plain_shout(data: dict[str, Any]) -> dict[str, Any]:
    return {"text": "plain"}


around = decorated(plain_shout)


async def test_a_decorator_is_in_force_in_a_flow() -> None:
    flow = Flow("Loud")
    flow.add(shout)
    assert (await flow.run())["output"]["text"] == "QUIET"
    assert flow.to_json()["steps"][0]["step_class"] == "shout"


@pytest.mark.parametrize(
    "code",
    [around, functools.partial(plain_shout), [].append, decorated(lambda data: data)],
    ids=["a name of other code", "a partial", "a method", "a lambda inside"],
)
def test_a_name_that_would_give_other_code_is_not_exported(code: Any) -> None:
    flow = Flow("Other")
    flow.add(code, id="other")
    with pytest.raises(PipelineDefinitionError, match=r"\$\.steps\[0\]"):
        flow.to_json()


async def test_a_flow_that_was_written_down_is_queued_and_resumed_by_its_id(
    database: DatabaseManager, tmp_path: Path
) -> None:
    (tmp_path / "words.py").write_text(FLOW)
    flow: Flow = StepModules(tmp_path).attribute("words", "flow")
    written = flow.to_json()
    assert {step["module"] for step in written["steps"]} == {"words"}
    (tmp_path / "pipeline.json").write_text(json.dumps(written))
    async with Client(database) as client:
        queued = await client.queue(tmp_path / "pipeline.json", {"text": "one three"})
        execution_id = queued.execution_id
        await client.cancel(execution_id)
        result = await (await client.resume(execution_id)).to_end()
    assert result["output"] == {"verdict": "many: 2, longest three"}


async def test_what_a_step_does_outside_is_on_record_with_each_attempt(database: DatabaseManager) -> None:
    flow = Flow("Effects")
    flow.add(plain_shout, id="fetch", effect="read") >> flow.add(plain_shout, id="send")
    assert [step.get("effect") for step in flow.to_json()["steps"]] == ["read", None]
    async with Client(database) as client:
        result = await client.run(flow)
        assert [step.effect for step in await client.steps(result["execution_id"])] == ["read", None]


def test_a_notebook_shows_its_graph_or_what_is_wrong_with_it() -> None:
    flow = Flow("Shown")
    assert flow._repr_html_().startswith("<pre>")
    assert "steps" in flow._repr_html_()

    @flow.step
    def load(data: dict[str, Any]) -> dict[str, Any]:
        return data

    assert load is not None
    assert flow._repr_html_().startswith("<svg")
    assert ">load</text>" in flow._repr_html_()
