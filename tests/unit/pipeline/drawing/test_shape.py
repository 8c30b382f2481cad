"""A pipeline as lines of text: every step once, branches indented, loops and ends named."""

from itertools import pairwise

from ia_modules.pipeline.drawing.shape import shape
from tests.unit.pipeline.drawing.test_diagram import AGENT, PUBLISH, compare
from tests.unit.pipeline.factories import definition, graph


def test_the_shape_reads_from_top_to_bottom() -> None:
    assert shape(PUBLISH) == [
        "● fetch: Fetch the pages",
        "├─ when result.rows > 0 → score",
        "├─ otherwise → end_empty",
        "● score",
        "◇ review  (asks a person)",
        "├─ always",
        "│  ◆ decide  (decides)",
        "│  ├─ when score > 1 → publish",
        "│  └─ otherwise",
        "│     ● fix",
        "│     └─ when fix.tries < 3 ↺ back to review",
        "├─ when nobody answers in time → publish",
        "● publish",
    ]


def test_branches_stand_up_to_the_step_where_they_join() -> None:
    fork = definition(
        *"abcdef",
        paths=[("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("d", "e", compare("x", "==", 1)), ("e", "f")],
    )
    assert shape(fork) == [
        "● a",
        "├─ always",
        "│  ● b",
        "├─ always",
        "│  ● c",
        "● d",
        "│  when x = 1",
        "● e",
        "● f",
    ]


def test_branches_that_end_do_not_hide_where_the_others_join() -> None:
    drawn = shape(
        definition(*"abcde", paths=[("a", "b"), ("a", "c"), ("a", "d"), ("b", "e"), ("c", "e"), ("d", "end")])
    )
    assert drawn[-1] == "● e"
    assert "│  ● d" in drawn


def test_branches_that_cross_name_the_step_that_stands_elsewhere() -> None:
    crossed = definition(*"abcde", paths=[("a", "b"), ("a", "c"), ("b", "d"), ("b", "e"), ("c", "e"), ("c", "d")])
    drawn = shape(crossed)
    for step_id in "abcde":
        assert sum(line.endswith(f"● {step_id}") for line in drawn) == 1
    assert any("→ " in line for line in drawn)


def test_a_step_that_leads_to_itself() -> None:
    drawn = shape(definition("a", "b", paths=[("a", "a", compare("x", "<", 3)), ("a", "b", "else")]))
    assert drawn == ["● a", "├─ when x < 3 ↺ back to a", "├─ otherwise → b", "● b"]


def test_steps_that_no_path_leads_to_are_named() -> None:
    assert shape(graph("a", "b", paths=[]).definition) == ["● a", "no path leads to: b"]


def test_a_large_pipeline_is_drawn_without_recursion() -> None:
    steps = [f"s{number}" for number in range(2000)]
    paths = [*pairwise(steps)]
    deep = [(step, "end_early", compare("x", "==", 1)) for step in steps]
    drawn = shape(definition(*steps, paths=[*paths, *deep]))
    assert sum("● s" in line for line in drawn) == 2000


def test_places_of_paths_and_what_ends_the_execution_stand_in_the_shape() -> None:
    assert shape(AGENT) == [
        "● think",
        "├─ 1. when run.iteration ≥ 5",
        "│  ● stop",
        "│  └─ always → end (ends the execution)",
        "├─ 2. when result.more = true → act",
        "├─ otherwise → end",
        "● act",
        "└─ always ↺ back to think",
    ]
