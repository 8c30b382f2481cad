"""Whatever the timing: no step is lost, none starts too early, and the outcome is the same."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from ia_modules.models import ExecutionStatus, StepStatus
from ia_modules.pipeline.document.definition import is_end
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.tokens import GraphState, Start, ready, verdict
from tests.unit.pipeline.random_files import graphs
from tests.unit.pipeline.simulation import Choose, Simulation


@st.composite
def simulations(draw: st.DrawFn) -> Simulation:
    return Simulation(draw(graphs()), input_data={"input": 1}, seed=draw(st.integers(0, 10_000)))


def again(simulation: Simulation) -> Simulation:
    return Simulation(simulation.graph, simulation.input_data, simulation.seed)


def in_order(_: int) -> int:
    return 0


def at_random(seed: int) -> Choose:
    """A timing that lets much run at once: what may start mostly starts before anything ends."""
    draw = random.Random(seed)

    def choose(count: int) -> int:
        return draw.randrange(count) if draw.random() < 0.4 else 0

    return choose


TIMINGS = st.lists(st.integers(0, 2**32), min_size=1, max_size=4)


@settings(max_examples=100, deadline=None)
@given(simulations(), TIMINGS)
def test_the_outcome_is_the_same_for_every_timing(simulation: Simulation, timings: list[int]) -> None:
    expected = simulation.run(in_order).outcome
    for timing in timings:
        assert again(simulation).run(at_random(timing)).outcome == expected


@settings(max_examples=80, deadline=None)
@given(simulations(), st.integers(0, 2**32))
def test_no_token_is_lost_and_none_is_used_twice(simulation: Simulation, timing: int) -> None:
    simulation.run(at_random(timing))
    runs = simulation.state.runs
    put = {
        (source, route.to_step)
        for source, run in runs.items()
        for route in run.routes or ()
        if route.taken and not is_end(route.to_step)
    }
    taken = [(parent, key.step_id) for key, run in runs.items() for parent in run.parents]
    assert len(taken) == len(set(taken))
    assert set(taken) == put
    assert verdict(simulation.state) is ExecutionStatus.COMPLETED
    assert not simulation.state.holders()


def can_reach(at: str, target: str, graph: Graph) -> bool:
    """By definition: a way from a token's place to the step that does not pass through the step before its end."""
    if at == target:
        return False  # every way on from here passes through the step itself
    seen, stack = {at}, [at]
    while stack:
        for following in graph.targets_of(stack.pop()):
            if following == target:
                return True
            if following not in seen:
                seen.add(following)
                stack.append(following)
    return False


def tokens_of(state: GraphState) -> set[str]:
    return {*state.holders(), *(run.key.step_id for run in state.active())}


def awaited(state: GraphState, step_id: str) -> set[str]:
    return {at for at in tokens_of(state) if can_reach(at, step_id, state.graph)}


@settings(max_examples=80, deadline=None)
@given(simulations(), st.integers(0, 2**32))
def test_what_starts_is_what_the_format_says(simulation: Simulation, timing: int) -> None:
    """By the format's words, step by step and without any cleverness."""
    choose = at_random(timing)
    while True:
        state = simulation.state
        starts = {start.key.step_id for start in ready(state)}
        active = {run.key.step_id for run in state.active()}
        waits = {step_id: awaited(state, step_id) for step_id in state.holders()}
        for step_id, others in waits.items():
            if not others:
                assert step_id in starts, "nothing else can reach it"
            elif step_id in starts:
                assert not others & active, "what runs can still reach it"
                assert all(step_id in waits[other] for other in others), "what it waits for does not wait for it"
        assert starts or active or not waits, "tokens are left, nothing moves"
        if not simulation.step(choose):
            break


@settings(max_examples=80, deadline=None)
@given(simulations(), st.integers(0, 2**32))
def test_what_may_start_stays_so_with_the_same_parents(simulation: Simulation, timing: int) -> None:
    choose = at_random(timing)
    before: dict[str, Start] = {}
    while True:
        now = {start.key.step_id: start for start in ready(simulation.state)}
        begun = {start.key: start for start in simulation.started}
        for step_id, start in before.items():
            assert now.get(step_id) == start or begun.get(start.key) == start
        before = now
        if not simulation.step(choose):
            break


@settings(max_examples=60, deadline=None)
@given(simulations(), st.integers(0, 2**32))
def test_a_step_never_runs_twice_at_once(simulation: Simulation, timing: int) -> None:
    choose = at_random(timing)
    while simulation.step(choose):
        at_once = [run.key.step_id for run in simulation.state.active()]
        assert len(at_once) == len(set(at_once))


@settings(max_examples=60, deadline=None)
@given(simulations(), st.integers(0, 2**32))
def test_a_replay_after_any_transition_knows_the_same(simulation: Simulation, timing: int) -> None:
    choose = at_random(timing)
    while simulation.step(choose):
        live, replayed = simulation.state, GraphState(simulation.graph, simulation.state.runs.values())
        assert ready(replayed) == ready(live)
        assert verdict(replayed) is verdict(live)
        assert replayed.holders() == live.holders()
        assert replayed.active() == [run for run in live.runs.values() if run in live.active()]


@settings(max_examples=80, deadline=None)
@given(simulations(), st.integers(0, 2**32), st.sets(st.integers(0, 40), max_size=5))
def test_crashes_after_any_transition_change_nothing(simulation: Simulation, timing: int, crashes: set[int]) -> None:
    expected = simulation.run(in_order).outcome
    interrupted, choose, moment = again(simulation), at_random(timing), 0
    while interrupted.step(choose):
        if moment in crashes:
            interrupted.crash()
            assert not [run for run in interrupted.state.active() if run.status is StepStatus.LOST]
        moment += 1
    assert interrupted.outcome == expected
