import pytest

from ia_modules.pipeline.drawing.diagram import condition_in_words, dot, edges_of, mermaid
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
        ({"type": "function", "module_path": "rules", "function_name": "is_ok"}, "rules.is_ok returns true"),
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


AGENT = definition(
    task("think", route="first"),
    "act",
    "stop",
    paths=[
        {"from": "think", "to": "stop", "condition": compare("{run.iteration}", ">=", 5)},
        {"from": "think", "to": "act", "condition": compare("result.more", "==", True)},
        {"from": "think", "to": "end", "condition": "else"},
        {"from": "act", "to": "think"},
        {"from": "stop", "to": "end", "ends": "execution"},
    ],
)


def test_where_the_first_path_is_taken_the_edges_have_their_places_and_one_that_ends_all_says_so() -> None:
    drawn = mermaid(AGENT)
    for line in (
        's1 -->|"1. run.iteration ≥ 5"| s3',
        's1 -->|"2. result.more = true"| s2',
        's1 -.->|"otherwise"| e1',
        "s2 --> s1",
        's3 -->|"ends the execution"| e1',
    ):
        assert f"    {line}\n" in drawn
    assert 's1 -> s3 [label="1. run.iteration ≥ 5"];' in dot(AGENT)
    assert 's3 -> e1 [label="ends the execution"];' in dot(AGENT)
