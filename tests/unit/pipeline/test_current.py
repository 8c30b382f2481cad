"""Code that is handed nothing finds the step that it runs in, wherever that step's code goes."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from ia_modules import current
from ia_modules.errors import ServiceNotFound
from ia_modules.pipeline.authoring import Flow, when
from ia_modules.pipeline.core import Step
from ia_modules.pipeline.services import ServiceRegistry

SERVICES = ServiceRegistry({"unit": "words"})


def seen() -> dict[str, Any]:
    """What a helper far from the step's own function finds."""
    context = current.context
    return {
        "step": context.step_id,
        "execution_id": context.execution_id,
        "word": current.config.get("word"),
        "unit": current.services.get("unit"),
    }


async def in_a_task(_: dict[str, Any]) -> Any:
    return (await asyncio.gather(asyncio.create_task(asyncio.to_thread(seen))))[0]


def in_its_thread(_: dict[str, Any]) -> Any:
    return seen()


def in_a_thread_of_its_own(_: dict[str, Any]) -> Any:
    found: list[Any] = []
    thread = threading.Thread(target=current.carry(lambda: found.append(seen())))
    thread.start()
    thread.join()
    return found[0]


class InAnObject(Step):
    def run(self, data: dict[str, Any]) -> Any:
        assert current.context is self.context
        assert current.services is self.services
        assert current.config is self.config
        return seen()


@pytest.mark.parametrize("timeout_seconds", [None, 30])
@pytest.mark.parametrize("code", [in_a_task, in_its_thread, in_a_thread_of_its_own, InAnObject])
async def test_a_helper_finds_the_step_that_it_runs_in(code: Callable[..., Any], timeout_seconds: float | None) -> None:
    flow = Flow("Current")
    flow.add(code, id="one", config={"word": "first"}, timeout_seconds=timeout_seconds)
    flow.add(code, id="two", config={"word": "second"}, timeout_seconds=timeout_seconds)
    flow.connect("one", "two")
    ran = await flow.run(services=SERVICES)
    facts = {"execution_id": ran["execution_id"], "unit": "words"}
    assert ran["output"] == {
        "one": {"step": "one", "word": "first", **facts},
        "two": {"step": "two", "word": "second", **facts},
        **ran["output"]["two"],
    }
    assert seen() == {"step": "", "execution_id": "", "word": None, "unit": None}


async def test_a_step_that_runs_another_flow_is_itself_again_afterwards() -> None:
    inner = Flow("Inner")
    inner.add(in_its_thread, id="inside")

    async def outside(_: dict[str, Any]) -> Any:
        ran = await inner.run()
        return {"there": ran["output"]["inside"]["step"], "here": current.context.step_id}

    flow = Flow("Outer")
    flow.add(outside, id="around")
    assert (await flow.run())["output"]["around"] == {"there": "inside", "here": "around"}


async def test_the_function_on_a_path_runs_in_the_step_before_it() -> None:
    calls: list[str] = []

    def holds(_context: Any, _parameters: Any) -> bool:
        calls.append(current.context.step_id)
        return True

    flow = Flow("Asked")
    [one, two] = [flow.add(in_its_thread, id=name) for name in ("one", "two")]
    _ = one >> when(holds) >> two
    await flow.run()
    assert calls == ["one"]


def test_outside_of_a_run_nothing_is_kept_and_each_look_is_anew() -> None:
    current.context.log("nobody keeps this")
    current.context.progress(0.5)
    current.config["left"] = "behind"
    current.services.register("left", "behind")
    assert current.config == {}
    with pytest.raises(ServiceNotFound, match="No service 'left' is registered; there are: none"):
        current.services["left"]
