from dataclasses import replace

import orjson
from hypothesis import given
from hypothesis import strategies as st

from ia_modules.payload import encode
from ia_modules.pipeline.overrides import Override, overrides_json, overrides_of
from ia_modules.pipeline.tokens import StepRunKey

KEYS = st.builds(StepRunKey, st.sampled_from("abc"), st.integers(1, 3))
TEXTS = st.dictionaries(st.text("abc", max_size=3), st.integers(-(2**63), 2**64 - 1)).map(lambda it: encode(it, "it"))


@st.composite
def overrides(draw: st.DrawFn) -> Override:
    parents = draw(st.none() | st.lists(KEYS, max_size=3).map(tuple))
    closes_loop = parents is not None and draw(st.booleans())
    begins = Override(draw(KEYS), parents, closes_loop=closes_loop)
    match draw(st.sampled_from(["nothing", "input", "output", "items"])):
        case "input":
            return replace(begins, input_data=draw(TEXTS), actor="ann")
        case "output":
            return replace(begins, output_data=draw(TEXTS), actor="bob")
        case "items":
            return replace(begins, items="failed")
        case _:
            return begins


@given(st.lists(overrides(), unique_by=lambda override: override.key))
def test_what_an_execution_keeps_is_read_as_it_was_written(written: list[Override]) -> None:
    stored = orjson.loads(overrides_json(written))
    assert overrides_of(stored) == {override.key: override for override in written}


def test_an_execution_that_repeats_nothing_keeps_none() -> None:
    assert overrides_of(None) == {}
