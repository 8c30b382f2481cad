"""Addresses of runs: no two runs have one, and what a path begins with are the runs around it."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia_modules.errors import InvalidArgument, NestingTooDeep
from ia_modules.models import RunPath
from ia_modules.paths import GRAPH, LIMIT_CHARACTERS, bounds, is_inside, last_of, named, path_of, run_path

STEP_IDS = st.sampled_from(
    ["a", "b", "a#1", "a/a", "%2F", "%", "#", "/", "a#1/a", "0", "1", "é", "\U0010ffff"]
) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=6)


class Segment(NamedTuple):
    step_id: str
    iteration: int


SEGMENTS = st.builds(Segment, STEP_IDS, st.sampled_from([1, 2, 10, 11, 100]) | st.integers(1, 10**6))
RUNS = st.lists(SEGMENTS, min_size=1, max_size=4)


def built(run: list[Segment]) -> RunPath:
    path = GRAPH
    for segment in run:
        path = path_of(path, *segment)
    return path


@given(RUNS, RUNS)
def test_two_runs_have_one_path_only_when_they_are_one_run(one: list[Segment], another: list[Segment]) -> None:
    assert (built(one) == built(another)) is (one == another)


@given(RUNS)
def test_a_path_taken_apart_is_what_it_was_made_of(run: list[Segment]) -> None:
    assert last_of(built(run)) == (built(run[:-1]), *run[-1])


@given(RUNS, RUNS | st.just([]))
def test_what_is_within_a_run_is_what_has_its_path_in_front(inner: list[Segment], around: list[Segment]) -> None:
    is_part = inner[: len(around)] == around
    assert is_inside(built(inner), built(around)) is is_part
    below = [*around, *inner]
    assert is_inside(built(below), built(around))
    low, high = (bound.encode() for bound in bounds(built(around)))
    assert low <= built(below).encode() < high, "by bytes, as both databases compare"


@given(RUNS)
def test_a_path_beyond_the_limit_is_refused_and_says_what_to_do(run: list[Segment]) -> None:
    path = built(run)
    while len(longer := path_of(path, "a-longer-step", 17)) <= LIMIT_CHARACTERS:
        assert run_path(path, "a-longer-step", 17) == longer
        path = longer
    with pytest.raises(NestingTooDeep, match="found 5.. characters .*; expected at most 500. Put fewer runs"):
        run_path(path, "a-longer-step", 17)


@pytest.mark.parametrize("text", ["a" * 501, "a\0#1", "\ud800#1"])
def test_an_address_that_no_run_can_have_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="path of a run cannot be used"):
        named(text)
    assert named("work#1/work#17") == "work#1/work#17"


def test_a_path_says_where_a_run_stands() -> None:
    work = run_path(GRAPH, "work", 1)
    assert run_path(run_path(work, "work", 17), "search/web", 2) == "work#1/work#17/search%2Fweb#2"
    with pytest.raises(NestingTooDeep):
        run_path(GRAPH, "\U0001f600" * 400, 1)  # four bytes each: more than an index of PostgreSQL takes
