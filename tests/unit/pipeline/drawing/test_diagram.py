from itertools import pairwise

import pytest

from ia_modules.pipeline.drawing.diagram import condition_in_words, dot, edges_of, mermaid
from ia_modules.pipeline.drawing.shape import shape
from tests.unit.pipeline.factories import definition, graph, task


def compare(source: str, operator: str, value: object) -> dict[str, object]:
    return {"type": "expression", "config": {"source": source, "operator": operator, "value": value}}


HARD = 'say "hi" <b> #1 & `x` | \\ {{y}}'

PUBLISH = definition(
    task("fetch", name="Fetch the pages"),
    task("score"),
    {"id": "review", "type": "human_input", "config": {"on_timeout": "publish", "timeout_seconds": 9}},
    {"id": "decide", "type": "condition", "conditions": [{"field": "score", "operator": ">", "value": 1}]},
    task("publish"),
    task("fix"),
    paths=[
        ("fetch", "score", compare("result.rows", "gt", 0)),
        ("fetch", "end_empty", "else"),
        ("score", "review"),
        ("review", "decide"),
        ("decide", "publish", "condition"),
        ("decide", "fix", "else"),
        ("fix", "review", compare("fix.tries", "<", 3)),
        ("publish", "end"),
    ],
)


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("always", ""),
        ("else", "otherwise"),
        ("success", "it succeeded"),
        (compare("result.rows", ">=", 3), "result.rows ≥ 3"),
        ({"type": "field_exists", "field": "x"}, "x exists"),
        ({"type": "field_exists", "field": "x", "value": False}, "x is missing"),
        (compare("result.quality", ">=", "{parameters.threshold}"), "result.quality ≥ threshold"),
        (compare("{{ parameters.limit }}", "<", "{steps.a.output.n}"), "limit < steps.a.output.n"),
        (compare("x", "==", "{parameters.a} and {parameters.b}"), 'x = "{parameters.a} and…'),
        (compare("x", "==", "a long sentence that nobody reads"), 'x = "a long sentence that nobody…'),
        (compare("name", "startswith", "a b"), 'name starts with "a b"'),
        ("parameter:fast", "parameter fast"),
        ({"type": "function", "module_path": "rules", "function_name": "is_ok"}, "rules.is_ok says so"),
        ({"type": "all", "conditions": [compare("x", "==", 1), "success"]}, "x = 1 and it succeeded"),
        (
            {"type": "any", "conditions": [{"type": "all", "conditions": ["success", "parameter:a"]}, "parameter:b"]},
            "(it succeeded and parameter a) or parameter b",
        ),
        ({"type": "not", "condition": compare("x", "in", [1, 2])}, "not (x is in [1, 2])"),
    ],
)
def test_conditions_are_told_in_words(condition: object, words: str) -> None:
    [edge, *_] = edges_of(graph("a", "b", paths=[("a", "b", condition)]), "a")
    assert edge.label == words


def test_long_conditions_are_cut() -> None:
    value, many = compare("x", "==", "y" * 100), [compare(f"result.number_{n}", ">", n) for n in range(9)]
    both = definition("a", "b", paths=[("a", "b", value), ("a", "b", {"type": "all", "conditions": many})]).flow.paths
    assert condition_in_words(both[0].condition) == f'x = "{"y" * 28}…'
    assert condition_in_words(both[1].condition) == "result.number_0 > 0 and result.number_1 > 1 and…"


def test_mermaid_has_every_step_and_every_path() -> None:
    assert mermaid(PUBLISH).splitlines() == [
        "flowchart TD",
        '    start((" "))',
        '    s1["Fetch the pages"]',
        '    s2["score"]',
        '    s3[/"review"/]',
        '    s4{"decide"}',
        '    s5["publish"]',
        '    s6["fix"]',
        '    e1(["end_empty"])',
        '    e2(["end"])',
        "    start --> s1",
        '    s1 -->|"result.rows #62; 0"| s2',
        '    s1 -.->|"otherwise"| e1',
        "    s2 --> s3",
        "    s3 --> s4",
        '    s3 -->|"nobody answers in time"| s5',
        '    s4 -->|"score #62; 1"| s5',
        '    s4 -.->|"otherwise"| s6',
        "    s5 --> e2",
        '    s6 -->|"fix.tries #60; 3"| s3',
    ]


def test_mermaid_reads_nothing_in_a_name_as_its_own() -> None:
    [line] = [line for line in mermaid(definition(task("end-of", name=HARD))).splitlines() if "say" in line]
    inside = line.strip().removeprefix('s1["').removesuffix('"]')
    assert not set('"<>&`|{}[]') & set(inside)
    assert "#34;hi#34;" in inside


def test_dot_has_every_step_and_every_path() -> None:
    drawn = dot(PUBLISH)
    assert drawn.startswith('digraph "test" {\n')
    assert drawn.endswith("}\n")
    assert '    s3 [label="review", shape=parallelogram, style=solid];' in drawn
    assert '    s1 -> s2 [label="result.rows > 0"];' in drawn
    assert '    s4 -> s6 [label="otherwise", style=dashed];' in drawn
    assert drawn.count(" -> ") == 10


def test_dot_quotes_names() -> None:
    drawn = dot(definition(task("a", name=HARD)))
    assert '[label="say \\"hi\\" <b> #1 & `x` | \\\\ {{y}}"]' in drawn


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
