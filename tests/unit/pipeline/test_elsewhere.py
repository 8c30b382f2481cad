"""An attempt that runs on a cluster outlives its owner: the next one asks for it, and its code is called once."""

import asyncio
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from ia_modules.errors import ExecutionCancelled, LeaseLost, RunsElsewhere, StepLost
from ia_modules.models import ClaimedExecution, ExecutionId, ExecutionStatus, LogLevel, StepExecutionId, StepStatus
from ia_modules.paths import GRAPH, run_path
from ia_modules.payload import encode
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.runner import Runner
from ia_modules.pipeline.start import record_start, registered_version
from ia_modules.testing.executor_steps import until
from ia_modules.transitions import ELSEWHERE, NewExecution, Recovery, RequestCancel, Transition
from tests.unit.pipeline.elsewhere import CLUSTERS, Cluster, OnCluster, pipeline_elsewhere
from tests.unit.pipeline.programs import attempts_of, recorded

RUNNING, PENDING, COMPLETED = StepStatus.RUNNING, ExecutionStatus.PENDING, ExecutionStatus.COMPLETED
WORK = run_path(GRAPH, "work", 1)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    there = Cluster()
    yield there
    there.forget()
    CLUSTERS.clear()


class Owner(NamedTuple):
    """Somebody who runs an execution."""

    runner: Runner
    executor: OnCluster
    run: "asyncio.Task[ExecutionStatus]"


async def queued(journal: OperatorJournal, pipeline: LoadedPipeline, **input_data: Any) -> ExecutionId:
    version = await registered_version(journal, pipeline, new_version=False)
    new = NewExecution(
        pipeline_id=version.pipeline_id,
        pipeline_version=version.version,
        status=PENDING,
        managed=True,
        input_data=encode({"cluster": "there", **input_data}, "input"),
    )
    return await record_start(journal, new)


async def claimed(journal: OperatorJournal, cluster: Cluster | None) -> ClaimedExecution:
    (claim,) = await journal.ownership.claim(1, cluster=None if cluster is None else cluster.identity)
    return claim


async def owned(
    journal: OperatorJournal, pipeline: LoadedPipeline, cluster: Cluster, *, repeats: bool = False
) -> Owner:
    """A runner that has claimed what is queued, and runs it."""
    claim = await claimed(journal, cluster)
    executor = OnCluster(cluster, repeats=repeats)
    runner = Runner(journal, executor=executor)
    started = runner.claimed(pipeline, claim.input_data, claim.lease)
    return Owner(runner, executor, asyncio.create_task(runner.to_end(started)))


async def begun(
    journal: OperatorJournal, pipeline: LoadedPipeline, cluster: Cluster, **input_data: Any
) -> tuple[ExecutionId, Owner, StepExecutionId]:
    """An execution whose first step runs on the cluster, and waits there."""
    execution_id = await queued(journal, pipeline, **input_data)
    owner = await owned(journal, pipeline, cluster)
    attempt = await cluster.arrived.get()
    await until(lambda: cluster.calls["waits"] > 0)
    return execution_id, owner, attempt


async def stopped(owner: Owner) -> None:
    owner.run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await owner.run


async def put_back(journal: OperatorJournal) -> None:
    """What a worker does with what another one, that is gone, has left."""
    (stalled,) = await journal.ownership.owned()
    assert await journal.ownership.recover(stalled, Recovery(status=PENDING, counted=True))


async def assert_done_once(
    journal: OperatorJournal, execution_id: ExecutionId, cluster: Cluster, attempt: StepExecutionId
) -> None:
    """It completed in its first attempt, and all that it did and said is on record once."""
    execution, steps = await recorded(journal, execution_id)
    assert execution.status is COMPLETED
    assert attempts_of(steps) == [("work", 1, 1, "completed"), ("after", 1, 1, "completed")]
    assert (steps[0].step_execution_id, steps[0].awaits) == (attempt, f"{ELSEWHERE}there")
    assert steps[1].awaits is None
    assert isinstance(execution.output_data, dict)
    assert execution.output_data["sum"] == 106
    assert cluster.calls == {"trains": 1, "counted 1": 1, "waits": 1, "counted 3": 1}
    within = await journal.get_execution_steps(execution_id, within=WORK)
    assert [(each.step_id, each.attempt, each.status.value, each.awaits) for each in within] == [
        (name, 1, "completed", f"{ELSEWHERE}there") for name in ("first", "second", "third")
    ]
    assert (execution.input_tokens, steps[0].input_tokens) == (14, 10)
    lines = (await journal.changes(execution_id)).logs
    assert [line.message for line in lines if line.level is LogLevel.INFO] == ["begins", "waits", "goes on"]
    assert cluster.released == [attempt]
    assert cluster.actors == {}


@pytest.mark.parametrize("repeats", [False, True])
async def test_what_is_handed_back_goes_on_there_and_the_next_owner_gets_its_result(
    journal: OperatorJournal, cluster: Cluster, *, repeats: bool
) -> None:
    pipeline = pipeline_elsewhere()
    execution_id, owner, attempt = await begun(journal, pipeline, cluster)
    await stopped(owner)
    execution, (step,) = await recorded(journal, execution_id)
    assert (execution.status, step.status, step.awaits) == (PENDING, RUNNING, f"{ELSEWHERE}there")
    within = await journal.get_execution_steps(execution_id, within=WORK)
    assert [each.status for each in within] == [StepStatus.COMPLETED, RUNNING]
    assert cluster.released == []
    assert await journal.ownership.claim(1) == []
    cluster.gate("go").set()  # it goes on while nobody owns it
    await asyncio.sleep(0)
    heir = await owned(journal, pipeline, cluster, repeats=repeats)
    assert await heir.run is COMPLETED
    await assert_done_once(journal, execution_id, cluster, attempt)


@pytest.mark.parametrize("identity", ["there", "another"])
async def test_where_it_runs_is_on_record_before_it_begins_also_where_the_cluster_is_another_by_then(
    journal: OperatorJournal, cluster: Cluster, identity: str
) -> None:
    cluster.place = replace(cluster.place, cluster=identity)
    execution_id, owner, _ = await begun(journal, pipeline_elsewhere(), cluster)
    _, (step,) = await recorded(journal, execution_id)
    within = await journal.get_execution_steps(execution_id, within=WORK)
    assert step.place == cluster.place
    assert {each.awaits for each in (step, *within)} == {f"{ELSEWHERE}{identity}"}
    assert {each.place for each in within} == {None}
    cluster.gate("go").set()
    assert await owner.run is COMPLETED


async def test_what_waits_for_room_there_while_its_lease_is_lost_never_begins(
    journal: OperatorJournal, cluster: Cluster
) -> None:
    cluster.has_room.clear()
    execution_id = await queued(journal, pipeline_elsewhere())
    owner = await owned(journal, pipeline_elsewhere(), cluster)
    await until(lambda: owner.executor.has_joined)
    await put_back(journal)
    cluster.has_room.set()
    with pytest.raises(LeaseLost):
        await owner.run
    assert (cluster.actors, cluster.calls, owner.executor.leaves) == ({}, {}, True)
    _, (step,) = await recorded(journal, execution_id)
    assert step.place is None


async def test_it_may_be_handed_on_again_and_again(journal: OperatorJournal, cluster: Cluster) -> None:
    pipeline = pipeline_elsewhere()
    execution_id, owner, attempt = await begun(journal, pipeline, cluster)
    await stopped(owner)
    before = await recorded(journal, execution_id)
    for _ in range(3):
        owner = await owned(journal, pipeline, cluster, repeats=True)
        await until(lambda executor=owner.executor: executor.has_joined)
        await stopped(owner)
        assert (await recorded(journal, execution_id))[1] == before[1], "nothing of it begins again"
    owner = await owned(journal, pipeline, cluster, repeats=True)
    cluster.gate("go").set()
    assert await owner.run is COMPLETED
    await assert_done_once(journal, execution_id, cluster, attempt)


@pytest.mark.parametrize("notices", ["when it is stopped", "when it writes"])
async def test_who_has_lost_its_lease_leaves_it_alone(journal: OperatorJournal, cluster: Cluster, notices: str) -> None:
    pipeline = pipeline_elsewhere()
    execution_id, owner, attempt = await begun(journal, pipeline, cluster)
    await put_back(journal)
    if notices == "when it is stopped":
        await stopped(owner)
        heir = await owned(journal, pipeline, cluster)
        cluster.gate("go").set()
    else:
        cluster.gate("go").set()  # what it says then, its first owner may not write: that is for the next one
        await until(lambda: owner.executor.leaves)
        heir = await owned(journal, pipeline, cluster)
    assert await heir.run is COMPLETED
    if notices == "when it writes":
        with pytest.raises(LeaseLost):
            await owner.run
    await assert_done_once(journal, execution_id, cluster, attempt)


async def test_who_finds_its_lease_lost_by_a_step_of_its_own_leaves_the_others_alone(
    journal: OperatorJournal, cluster: Cluster
) -> None:
    pipeline = pipeline_elsewhere("trains", beside="waits_here")
    execution_id, owner, attempt = await begun(journal, pipeline, cluster)
    await put_back(journal)
    cluster.gate("here").set()
    with pytest.raises(LeaseLost):
        await owner.run
    heir = await owned(journal, pipeline, cluster)
    cluster.gate("go").set()
    assert await heir.run is COMPLETED
    _, steps = await recorded(journal, execution_id)
    assert sorted(attempts_of(steps)) == [
        ("after", 1, 1, "completed"),
        ("beside", 1, 1, "lost"),
        ("beside", 1, 2, "completed"),
        ("start", 1, 1, "completed"),
        ("work", 1, 1, "completed"),
    ]
    assert cluster.calls["trains"] == 1
    assert cluster.released == [attempt]


async def test_what_nobody_there_knows_of_is_lost_and_made_again(journal: OperatorJournal, cluster: Cluster) -> None:
    pipeline = pipeline_elsewhere()
    execution_id, owner, _ = await begun(journal, pipeline, cluster)
    await put_back(journal)
    cluster.forget()
    await stopped(owner)
    heir = await owned(journal, pipeline, cluster)
    await cluster.arrived.get()
    cluster.gate("go").set()
    assert await heir.run is COMPLETED
    execution, steps = await recorded(journal, execution_id)
    assert attempts_of(steps) == [
        ("work", 1, 1, "lost"),
        ("work", 1, 2, "completed"),
        ("after", 1, 1, "completed"),
    ]
    assert (steps[0].error_type, steps[0].error_message) == (
        "StepLost",
        "Step 'work' was lost: Nobody there knows of it.",
    )
    assert (execution.completed_steps, execution.failed_steps) == (2, 0)
    assert cluster.calls == {"trains": 2, "counted 1": 1, "waits": 2, "counted 3": 1}
    within = await journal.get_execution_steps(execution_id, within=WORK)
    assert [(each.step_id, each.attempt, each.status.value) for each in within] == [
        ("first", 1, "completed"),
        ("second", 1, "lost"),
        ("second", 2, "completed"),
        ("third", 1, "completed"),
    ]


@pytest.mark.parametrize("retry", [{}, {"retry": {"max_attempts": 5, "initial_delay": 0}}])
async def test_what_is_lost_three_times_in_a_row_fails_and_names_its_step(
    journal: OperatorJournal, cluster: Cluster, retry: dict[str, Any]
) -> None:
    pipeline = pipeline_elsewhere("is_lost", beside=None, **({"error_handling": retry} if retry else {}))
    execution_id = await queued(journal, pipeline, times=9, progresses=False)
    owner = await owned(journal, pipeline, cluster)
    with pytest.raises(StepLost, match=r"Step 'work' failed: it was lost 3 times in a row.*Out of memory\.") as lost:
        await owner.run
    assert (lost.value.step_id, lost.value.times) == ("work", 3)
    execution, steps = await recorded(journal, execution_id)
    assert attempts_of(steps) == [("work", 1, 1, "lost"), ("work", 1, 2, "lost"), ("work", 1, 3, "failed")]
    assert (execution.status, execution.error_type, execution.failed_steps) == (ExecutionStatus.FAILED, "StepLost", 1)
    assert cluster.released == [step.step_execution_id for step in steps]


async def test_losses_of_earlier_owners_count(journal: OperatorJournal, cluster: Cluster) -> None:
    pipeline = pipeline_elsewhere()
    execution_id, owner, _ = await begun(journal, pipeline, cluster)
    for _ in range(2):
        cluster.forget()
        await cluster.arrived.get()
        await stopped(owner)
        owner = await owned(journal, pipeline, cluster)
    # In the first attempt something has completed, and in none since.
    cluster.forget()
    with pytest.raises(StepLost, match="3 times in a row"):
        await owner.run
    _, steps = await recorded(journal, execution_id)
    assert attempts_of(steps) == [("work", 1, 1, "lost"), ("work", 1, 2, "lost"), ("work", 1, 3, "failed")]


async def test_what_makes_progress_may_be_lost_any_number_of_times(journal: OperatorJournal, cluster: Cluster) -> None:
    pipeline = pipeline_elsewhere("is_lost")
    execution_id = await queued(journal, pipeline, times=6, progresses=True)
    owner = await owned(journal, pipeline, cluster)
    assert await owner.run is COMPLETED
    _, steps = await recorded(journal, execution_id)
    assert [step.status.value for step in steps] == ["lost"] * 6 + ["completed"]
    assert cluster.calls["counted 0"] == 1


async def test_a_resumed_execution_has_all_its_losses_before_it(journal: OperatorJournal, cluster: Cluster) -> None:
    pipeline = pipeline_elsewhere("is_lost")
    execution_id = await queued(journal, pipeline, times=5, progresses=False)
    owner = await owned(journal, pipeline, cluster)
    with pytest.raises(StepLost):
        await owner.run
    started = await owner.runner.resume(pipeline, execution_id)
    assert (await started.to_end())["output"]["attempt"] == 6
    _, steps = await recorded(journal, execution_id)
    assert [step.status.value for step in steps] == ["lost", "lost", "failed", "lost", "lost", "completed"]


async def test_a_cancelled_execution_stops_what_it_has_there(journal: OperatorJournal, cluster: Cluster) -> None:
    execution_id, owner, attempt = await begun(journal, pipeline_elsewhere(), cluster)
    await journal.request_cancel(execution_id)
    with pytest.raises(ExecutionCancelled):
        await owner.run
    _, (step,) = await recorded(journal, execution_id)
    assert step.status is StepStatus.CANCELLED
    assert cluster.released == [attempt]
    assert cluster.calls["counted 3"] == 0


async def test_what_was_to_be_cancelled_when_it_was_handed_back_is_not_asked_for_any_more(
    journal: OperatorJournal, cluster: Cluster
) -> None:
    execution_id, owner, attempt = await begun(journal, pipeline_elsewhere(), cluster)
    request = Transition(execution_id=execution_id, writer="somebody", ownership=RequestCancel())
    await journal.record(request)  # the owner has not heard of it
    owner.run.cancel()
    with pytest.raises((asyncio.CancelledError, ExecutionCancelled)):
        await owner.run
    execution, (step,) = await recorded(journal, execution_id)
    assert (execution.status, step.status) == (ExecutionStatus.CANCELLED, StepStatus.CANCELLED)
    assert cluster.released == [attempt]


async def test_a_program_that_is_stopped_stops_what_it_has_there(journal: OperatorJournal, cluster: Cluster) -> None:
    runner = Runner(journal, executor=OnCluster(cluster))
    started = await runner.start(pipeline_elsewhere(), {"cluster": "there"})
    run = asyncio.create_task(started.to_end())
    attempt = await cluster.arrived.get()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    execution, (step,) = await recorded(journal, started.execution_id)
    assert (execution.status, step.status) == (ExecutionStatus.CANCELLED, StepStatus.CANCELLED)
    assert cluster.released == [attempt]


async def test_who_is_not_joined_to_the_cluster_refuses_to_go_on_unless_it_is_given_up(
    journal: OperatorJournal, cluster: Cluster
) -> None:
    pipeline = pipeline_elsewhere()
    execution_id, owner, attempt = await begun(journal, pipeline, cluster)
    await stopped(owner)
    before = await recorded(journal, execution_id)
    other = Cluster("another")
    for executor, joined in ((OnCluster(None), "none"), (OnCluster(other), "'another'")):
        with pytest.raises(RunsElsewhere) as refused:
            await Runner(journal, executor=executor).resume(pipeline, execution_id)
        words = str(refused.value)
        assert f"step 'work' of execution '{execution_id}' runs on Ray cluster 'there'" in words
        assert f"joined to {joined}" in words
        assert f"ia-modules executions resume {execution_id} --give-up-remote" in words
    assert await recorded(journal, execution_id) == before
    started = await Runner(journal, executor=OnCluster(other)).resume(pipeline, execution_id, give_up_remote=True)
    run = asyncio.create_task(started.to_end())
    await cluster.arrived.get()
    cluster.gate("go").set()
    await run
    _, steps = await recorded(journal, execution_id)
    assert [(step.step_execution_id == attempt, step.status.value, step.error_type) for step in steps] == [
        (True, "lost", "RemoteGivenUp"),
        (False, "completed", None),
        (False, "completed", None),
    ]
    assert steps[1].awaits == f"{ELSEWHERE}another"


async def test_who_is_joined_to_the_cluster_goes_on_with_it_by_name(journal: OperatorJournal, cluster: Cluster) -> None:
    pipeline = pipeline_elsewhere()
    execution_id, owner, attempt = await begun(journal, pipeline, cluster)
    await stopped(owner)
    started = await Runner(journal, executor=OnCluster(cluster)).resume(pipeline, execution_id)
    cluster.gate("go").set()
    assert (await started.to_end())["output"]["sum"] == 106
    await assert_done_once(journal, execution_id, cluster, attempt)
