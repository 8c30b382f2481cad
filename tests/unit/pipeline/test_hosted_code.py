"""What a process has of the code of calls: which objects it makes, which it keeps, and whose surroundings they see."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from ia_modules.errors import StepError
from ia_modules.models import JsonText
from ia_modules.pipeline.core import Step, nowhere
from ia_modules.pipeline.current import enter
from ia_modules.pipeline.hosted_code import CodeOfCall, HostedCode
from ia_modules.pipeline.remote_calls import CodeChanged, Needs, PoolNeeds
from tests.unit.pipeline.remote import call_of

STEPS = """
from ia_modules.pipeline.core import Step

class Model(Step):
    made = 0

    def __init__(self, name, config=None):
        super().__init__(name, config)
        type(self).made += 1
        if self.config.get("fails") == type(self).made:
            raise OSError("no weights")

    def run(self, data):
        return {"made": self.made, "kind": type(self).__name__, "super": super().run.__name__}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "host_steps.py").write_text(STEPS)
    return tmp_path


@pytest.fixture
async def code() -> AsyncGenerator[HostedCode]:
    async with HostedCode(services=None) as code:
        yield code


def in_pool(max_concurrency: int = 1) -> Needs:
    return Needs(pool=PoolNeeds("p", max_concurrency, 60.0))


async def step_of(code: HostedCode, folder: Path, **changes: Any) -> Step:
    loaded = await code.loaded(call_of(folder, "Model", **changes))
    assert isinstance(loaded, CodeOfCall)
    return loaded.step


async def test_outside_of_a_pool_each_attempt_has_an_object_of_its_own(code: HostedCode, folder: Path) -> None:
    assert await step_of(code, folder) is not await step_of(code, folder)


async def test_a_pool_keeps_one_object_of_each_step_as_long_as_its_config_is_the_same(
    code: HostedCode, folder: Path
) -> None:
    first = await step_of(code, folder, needs=in_pool())
    assert await step_of(code, folder, needs=in_pool()) is first
    assert await step_of(code, folder, needs=in_pool(), step_id="other") is not first
    small = await step_of(code, folder, needs=in_pool(), config=JsonText('{"size": 1}'))
    assert (small.config, small is first) == ({"size": 1}, False)
    assert await step_of(code, folder, needs=in_pool()) is not first, "one of each step, or it would grow"


async def test_an_object_that_cannot_be_made_is_tried_again(code: HostedCode, folder: Path) -> None:
    config = JsonText('{"fails": 1}')
    with pytest.raises(StepError, match="no weights"):
        await step_of(code, folder, needs=in_pool(), config=config)
    assert (await step_of(code, folder, needs=in_pool(), config=config)).run({})["made"] == 2


async def test_code_that_has_changed_since_is_not_loaded(code: HostedCode, folder: Path) -> None:
    await step_of(code, folder)
    call = call_of(folder, "Model", fingerprint={"host_steps": "another"}, needs=in_pool())
    assert await code.loaded(call) == CodeChanged("host_steps")


async def test_attempts_that_share_an_object_see_their_own_surroundings_in_it(code: HostedCode, folder: Path) -> None:
    step = await step_of(code, folder, needs=in_pool(2))
    here = asyncio.Barrier(2)

    async def attempt(name: str) -> set[str]:
        enter(replace(nowhere(), step_id=name))
        before = step.context.step_id
        await here.wait()
        return {before, step.context.step_id, await asyncio.to_thread(lambda: step.context.step_id)}

    assert await asyncio.gather(*map(attempt, ("a", "b"))) == [{"a"}, {"b"}]
    assert step.run({}) | {"made": 0} == {"made": 0, "kind": "Model", "super": "run"}
