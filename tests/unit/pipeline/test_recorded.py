"""The step runs that rows stand for, in whatever order the rows come and whatever their clocks said."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ia_modules.errors import StepConflict
from ia_modules.models import AttemptRecord, ExecutionId, StepExecutionId, StepExecutionRecord, StepStatus
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.recorded import (
    STOP_JSON,
    deaths_in_a_row,
    in_order_of_completion,
    input_of,
    loop_seconds,
    recorded_results,
    recorded_runs,
    refs_json,
    retry_json,
    routes_json,
    state_of,
)
from ia_modules.pipeline.tokens import Route, StepRun, StepRunKey, ready, verdict
from tests.unit.pipeline.factories import graph
from tests.unit.pipeline.simulation import Simulation
from tests.unit.pipeline.test_timing import at_random, simulations

DAY = timedelta(days=1)


def row(key: StepRunKey, **columns: Any) -> StepExecutionRecord:
    """A row as a journal has it; the later arguments say what matters."""
    known: dict[str, Any] = {
        "step_execution_id": StepExecutionId(f"{key.step_id}/{key.iteration}/{columns.get('attempt', 1)}"),
        "execution_id": ExecutionId("execution"),
        "step_id": key.step_id,
        "step_name": key.step_id,
        "within": "",
        "step_type": "task",
        "iteration": key.iteration,
        "attempt": 1,
        "retry_count": 0,
        "status": StepStatus.COMPLETED,
        "worker": None,
        "wake_at": None,
        "awaits": None,
        "effect": None,
        "routes": None,
        "error_type": None,
        "error_message": None,
        "progress": None,
        "progress_message": None,
        "copied_from": None,
        "input_bytes": 0,
        "output_bytes": 0,
        "sequence": 1,
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        "started_at": None,
        "completed_at": None,
        "input_data": None,
        "input_refs": refs_json((), is_state=True),
        "output_data": None,
        "metadata": None,
        "traceback": None,
        **columns,
    }
    return StepExecutionRecord(**known)


def attempts_of(rows: list[StepExecutionRecord], *, reopened: int = 0) -> list[AttemptRecord]:
    return [each.as_attempt(is_reopened=each.sequence <= reopened) for each in rows]


def rows_of(simulation: Simulation, chance: random.Random) -> list[StepExecutionRecord]:
    """What a journal keeps of a simulation, with lost and failed attempts, by clocks and ids that say nothing."""
    rows: list[StepExecutionRecord] = []
    for sequence, run in enumerate(simulation.state.runs.values(), start=1):
        refs = refs_json(run.parents, is_state=True)
        attempts = chance.randint(1, 3)
        for attempt in range(1, attempts + 1):
            result: dict[str, Any] = {"status": StepStatus.LOST}
            if attempt == attempts:
                routes = None if run.routes is None else routes_json(run.routes)
                result = {"status": run.status, "routes": routes, "output_data": simulation.results.get(run.key)}
            elif chance.random() < 0.5:
                result = {"status": StepStatus.FAILED, "routes": retry_json(1.5)}
            at = datetime(2026, 1, 1, tzinfo=UTC) + chance.uniform(-1, 1) * DAY
            id_ = StepExecutionId(f"{chance.getrandbits(64):x}/{len(rows)}")
            times = {"created_at": at, "step_execution_id": id_, "sequence": sequence, "attempt": attempt}
            rows.append(row(run.key, input_refs=refs, **times, **result))
    chance.shuffle(rows)
    return rows


@settings(max_examples=200, deadline=None)
@given(simulations(), st.integers(0, 2**32), st.integers(0, 60))
def test_an_execution_stands_where_its_rows_say_whatever_their_clocks_ids_and_order(
    simulation: Simulation, seed: int, events: int
) -> None:
    choose = at_random(seed)
    for _ in range(events):
        simulation.step(choose)
    rows = rows_of(simulation, random.Random(seed))
    runs = recorded_runs(attempts_of(rows))
    state = state_of(simulation.graph, runs)
    assert state.runs == simulation.state.runs
    assert ready(state) == ready(simulation.state)
    assert verdict(state) == verdict(simulation.state)
    outputs = {each.step_execution_id: each.output_data for each in rows}
    assert recorded_results(runs, outputs) == simulation.results
    assert [run.run.key for run in in_order_of_completion(runs)] == [
        key for key, run in simulation.state.runs.items() if run.routes is not None
    ]
    for run in runs:
        made = [each for each in rows if (each.step_id, each.iteration) == run.run.key]
        assert run.last.attempt == run.attempts == len(made)
        assert run.failures == sum(each.status is StepStatus.FAILED for each in made)


def led_on(*targets: str, graph: Graph, of: str) -> dict[str, Any]:
    return routes_json(Route(index, path.to_step, path.to_step in targets, "") for index, path in graph.paths_of(of))


def test_a_run_that_is_among_its_own_ancestors_is_refused() -> None:
    first, second = StepRunKey("a", 1), StepRunKey("b", 1)
    rows = [
        row(first, input_refs=refs_json([second], is_state=True)),
        row(second, input_refs=refs_json([first], is_state=True)),
    ]
    with pytest.raises(StepConflict, match="following from itself"):
        recorded_runs(attempts_of(rows))


def test_rows_that_do_not_follow_from_the_definition_are_refused() -> None:
    chain = graph("a", "b", "c", paths=[("a", "b"), ("b", "c")])
    rows = [row(StepRunKey("c", 1), input_refs=refs_json([StepRunKey("a", 1)], is_state=True))]
    with pytest.raises(StepConflict, match="'c'"):
        state_of(chain, recorded_runs(attempts_of(rows)))


def test_an_attempt_that_is_to_be_tried_again_leaves_its_run_pending_with_the_delay() -> None:
    (run,) = recorded_runs(attempts_of([row(StepRunKey("a", 1), status=StepStatus.FAILED, routes=retry_json(2.5))]))
    assert (run.run, run.retry_delay_seconds, run.failures) == (
        StepRun(StepRunKey("a", 1), StepStatus.PENDING),
        2.5,
        1,
    )


@pytest.mark.parametrize("status", [StepStatus.FAILED, StepStatus.CANCELLED])
def test_what_stopped_is_run_again_with_all_its_attempts_only_where_an_execution_is_reopened(
    status: StepStatus,
) -> None:
    rows = [
        row(StepRunKey("a", 1), attempt=1, status=StepStatus.FAILED, routes=retry_json(1)),
        row(StepRunKey("a", 1), attempt=2, status=status, routes=STOP_JSON),
    ]
    (stopped,) = recorded_runs(attempts_of(rows))
    assert stopped.run.has_stopped
    (reopened,) = recorded_runs(attempts_of(rows), reopened=True)
    assert reopened.run.is_active
    assert (reopened.attempts, reopened.failures) == (2, 0)


def test_what_failed_before_its_execution_was_reopened_is_made_again_and_does_not_count() -> None:
    before = [
        row(StepRunKey("a", 1), attempt=1, status=StepStatus.FAILED, routes=retry_json(1), sequence=2),
        row(StepRunKey("a", 1), attempt=2, status=StepStatus.FAILED, routes=STOP_JSON, sequence=3),
    ]
    (reopened,) = recorded_runs(attempts_of(before, reopened=4))
    assert (reopened.run.is_active, reopened.attempts, reopened.failures) == (True, 2, 0)
    again = row(StepRunKey("a", 1), attempt=3, status=StepStatus.FAILED, routes=STOP_JSON, sequence=6)
    (failed,) = recorded_runs(attempts_of([*before, again], reopened=4))
    assert (failed.run.has_stopped, failed.attempts, failed.failures) == (True, 3, 1)


def test_a_completed_run_is_not_run_again_when_its_execution_is_reopened() -> None:
    loop = graph("a", "b", paths=[("a", "b")])
    completed = row(StepRunKey("a", 1), routes=led_on("b", graph=loop, of="a"))
    (run,) = recorded_runs(attempts_of([completed]), reopened=True)
    assert run.run.status is StepStatus.COMPLETED
    assert run.has_result


def test_the_state_that_an_attempt_was_given_is_rebuilt_and_declared_inputs_are_read() -> None:
    chain = graph("a", "b", paths=[("a", "b")])
    first = row(StepRunKey("a", 1), routes=led_on("b", graph=chain, of="a"), output_data={"n": 2})
    parents = [StepRunKey("a", 1)]
    second = row(StepRunKey("b", 1), input_refs=refs_json(parents, is_state=True), status=StepStatus.RUNNING)
    assert input_of(second, chain, {"n": 1, "m": 0}, [second, first]) == {"n": 2, "m": 0}
    declared = row(StepRunKey("b", 1), input_refs=refs_json(parents, is_state=False), input_data={"x": 1})
    assert input_of(declared, chain, {"n": 1}, [declared, first]) == {"x": 1}


def test_the_deaths_of_processes_are_counted_by_step_run_and_only_in_a_row() -> None:
    lost, failed, running = StepStatus.LOST, StepStatus.FAILED, StepStatus.RUNNING

    def rows(step_id: str, *statuses: StepStatus) -> list[AttemptRecord]:
        key = StepRunKey(step_id, 1)
        return [row(key, attempt=attempt, status=status).as_attempt() for attempt, status in enumerate(statuses, 1)]

    assert deaths_in_a_row([]) == ("", 0)
    assert deaths_in_a_row(rows("a", StepStatus.COMPLETED))[1] == 0
    assert deaths_in_a_row([*rows("a", lost, running), *rows("b", lost, failed, lost)]) == ("a", 2)
    assert deaths_in_a_row([*rows("a", lost, lost, StepStatus.COMPLETED), *rows("b", running)]) == ("b", 1)


def test_time_of_a_loop_is_that_in_which_something_ran_until_it_asked_a_person() -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)

    def ran(step_id: str, iteration: int, low: float, high: float, question: float | None = None) -> AttemptRecord:
        at = {"created_at": began + timedelta(seconds=low), "completed_at": began + timedelta(seconds=high)}
        parents = [StepRunKey(step_id, iteration - 1)] if iteration > 1 else []
        asked_at = None if question is None else began + timedelta(seconds=question)
        return row(StepRunKey(step_id, iteration), input_refs=refs_json(parents, is_state=True), **at).as_attempt(
            asked_at
        )

    rows = [
        ran("a", 1, 0, 2),
        ran("b", 1, 1, 4),  # together with a, in part
        ran("ask", 1, 4, 1000, question=5),
        ran("early", 1, 900, 890),  # its clock was set back
        ran("a", 2, 2000, 2003),
        ran("a", 3, 2003, 2004),
    ]
    assert loop_seconds(recorded_runs(rows)) == {"a": 8.0, "b": 0.0, "ask": 0.0, "early": 0.0}


def test_an_attempt_that_runs_elsewhere_has_not_died() -> None:
    key = StepRunKey("work", 1)
    dead = [row(key, attempt=number, status=StepStatus.LOST).as_attempt() for number in (1, 2)]
    lives = row(key, attempt=3, status=StepStatus.RUNNING, awaits="ray:there").as_attempt()
    assert deaths_in_a_row(dead) == ("work", 2)
    assert deaths_in_a_row([*dead, lives])[1] == 0
    for error_type in ("StepLost", "RemoteGivenUp"):
        lost = row(key, attempt=3, status=StepStatus.LOST, error_type=error_type).as_attempt()
        assert deaths_in_a_row([*dead, lost])[1] == 0
    assert deaths_in_a_row([*dead, row(key, attempt=3, status=StepStatus.RUNNING).as_attempt()]) == ("work", 3)


@pytest.mark.parametrize(
    ("ends", "losses"),
    [
        ([], 0),
        (["StepLost"], 1),
        (["StepLost", "StepLost"], 2),
        (["StepLost", "ProcessLost", "StepLost"], 1),
        (["StepLost", "failed"], 0),
        (["StepLost", "running"], 1),
    ],
)
def test_losses_count_while_nothing_else_comes_in_between(ends: list[str], losses: int) -> None:
    statuses = {"failed": StepStatus.FAILED, "running": StepStatus.RUNNING}
    rows = [
        row(StepRunKey("work", 1), attempt=number, status=statuses.get(end, StepStatus.LOST), error_type=end)
        for number, end in enumerate([*ends, "running"], 1)
    ]
    (run,) = recorded_runs(each.as_attempt() for each in rows)
    assert run.losses == losses
