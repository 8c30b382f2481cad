"""Whatever a document says, it is either loaded or explained."""

import copy
import json
from pathlib import Path
from typing import Any, cast

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.loader import examine, load
from tests.unit.pipeline.factories import document


def places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items: Any = ()
    if isinstance(value, dict | list):
        items = cast(dict[str, Any], value).items() if isinstance(value, dict) else enumerate(cast(list[Any], value))
    return [place, *(each for key, inner in items for each in places(inner, (*place, key)))]


FIXTURES = Path(__file__).parents[2] / "fixtures" / "pipelines"


VALID = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(FIXTURES.glob("*/*.json"))]


WORDS = sorted({key for written in VALID for place in places(written) for key in place if isinstance(key, str)})


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("ab{}|.", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A valid pipeline with one or two values replaced, or keys added, at random."""
    written = copy.deepcopy(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(1, 2))):
        *way, key = draw(st.sampled_from([place for place in places(written) if place]))
        here = written
        for each in way:
            here = here[each]
        here[key] = draw(ANYTHING)
        if isinstance(here, dict) and draw(st.booleans()):
            here[draw(st.sampled_from(WORDS))] = draw(ANYTHING)
    return written


def in_whole_numbers(value: Any) -> Any:
    """The value with 1.0 as 1, as definitions are stored; a function on a path is called with what is stored."""
    if isinstance(value, dict):
        return {key: in_whole_numbers(each) for key, each in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list):
        return [in_whole_numbers(each) for each in cast("list[Any]", value)]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53 else value


ASKS = {"type": "function", "module_path": "checks", "function_name": "is_good", "parameters": {"limit": 0.0}}


@settings(max_examples=400, deadline=None)
@example(document("a", "b", paths=[("a", "b", ASKS)]))
@given(damaged())
def test_whatever_a_document_says_is_either_loaded_or_explained(written: Any) -> None:
    kept = copy.deepcopy(written)
    strict, lenient = examine(written), examine(written, strict=False)
    assert repr(written) == repr(kept)
    for examined in (strict, lenient):
        assert (examined.definition is None) is bool(examined.errors)
        assert all(problem.where and problem.found and problem.expected for problem in examined.errors)
        if examined.definition is not None:
            again = load(examined.definition.to_json(), strict=examined is strict).definition
            assert again == examine(in_whole_numbers(written), strict=examined is strict).definition
            assert again.content_hash == examined.definition.content_hash
            Graph(examined.definition)
    if strict.definition is not None:
        assert lenient.definition == strict.definition
        assert lenient.warnings == ()
