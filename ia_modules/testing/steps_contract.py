"""What every journal promises about the steps of an execution, as tests: a part of ``JournalContract``."""

from typing import Any, cast

import pytest
from msgspec.structs import replace

from ia_modules.errors import AlreadyFinished, StepConflict, StepExecutionNotFound
from ia_modules.failure_groups import group_of
from ia_modules.models import EFFECTS, ExecutionId, ExecutionStatus, PipelineId, StepExecutionId, StepStatus, new_id
from ia_modules.payload import encode
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.testing.contract_transitions import OWNER, claimed_of, ending, question_of, starting
from ia_modules.transitions import (
    ExecutionUpdate,
    FailedStep,
    Failure,
    LogLine,
    NewExecution,
    NewInteraction,
    Recovery,
    StepUpdate,
    Transition,
)


class StepsContract:
    """The promises about steps; the fixtures are those of the contract."""

    async def test_a_step_is_on_record_with_all_that_was_said_of_it(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, step_id = starting(execution_id, "load", input_data=encode({"file": "ü.csv"}, "input"))
        await journal.record(started)
        ended = ending(execution_id, step_id, StepStatus.COMPLETED, output_data=encode({"b": 1, "a": [2.5]}, "output"))
        await journal.record(ended)
        (step,) = await journal.get_execution_steps(execution_id)
        assert (step.step_id, step.iteration, step.attempt, step.status) == ("load", 1, 1, StepStatus.COMPLETED)
        assert (step.input_data, step.input_bytes) == ({"file": "ü.csv"}, 17)
        assert isinstance(step.output_data, dict)
        assert list(step.output_data.items()) == [("b", 1), ("a", [2.5])]  # as written, keys in their order
        assert step.started_at is not None
        assert step.completed_at is not None
        assert step.created_at <= step.started_at <= step.completed_at

    async def test_a_course_is_read_without_payloads_and_results_by_the_attempts_that_gave_them(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, load = starting(execution_id, "load", input_data=encode({"file": "a.csv"}, "input"))
        await journal.record(started)
        await journal.record(
            ending(execution_id, load, StepStatus.COMPLETED, output_data=encode({"rows": [1]}, "rows"))
        )
        started, ask = starting(execution_id, "ask")
        await journal.record(started)
        carried = replace(question_of(ask), carries=True)
        await journal.record(replace(ending(execution_id, ask, StepStatus.WAITING), asks=(carried,)))
        (question,) = await journal.get_interactions(execution_id)
        steps = await journal.get_execution_steps(execution_id)
        asked_at = {ask: question.created_at}
        attempts = await journal.get_attempts(execution_id)
        assert attempts == [
            step.as_attempt(asked_at.get(step.step_execution_id), carries=step.step_execution_id == ask)
            for step in steps
        ]
        assert await journal.get_attempts("nobody") == []
        results = await journal.results([ask, load, StepExecutionId(new_id())])
        assert results == {load: {"rows": [1]}, ask: None}
        assert await journal.results([]) == {}
        cast("dict[str, Any]", results[load])["rows"].append("spoilt")
        assert await journal.results([load]) == {load: {"rows": [1]}}

    async def test_questions_that_are_waited_for_are_read_apart(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        questions: list[NewInteraction] = []
        for step_id in ("first", "second"):
            started, attempt = starting(execution_id, step_id)
            await journal.record(started)
            questions.append(question_of(attempt))
            await journal.record(replace(ending(execution_id, attempt, StepStatus.WAITING), asks=(questions[-1],)))
        first, second = (each.interaction_id for each in questions)
        await journal.answer_interaction(first, {"yes": True}, actor="ann")
        awaited = await journal.get_interactions(execution_id, awaited=True)
        assert [(each.interaction_id, each.status) for each in awaited] == [(first, "answered"), (second, "pending")]
        await journal.record(ending(execution_id, questions[0].step_execution_id, StepStatus.COMPLETED))
        assert [each.interaction_id for each in await journal.get_interactions(execution_id, awaited=True)] == [second]
        assert [each.interaction_id for each in await journal.get_interactions(execution_id)] == [first, second]

    async def test_what_is_read_is_a_copy(self, journal: OperatorJournal, execution_id: ExecutionId) -> None:
        started, step_id = starting(execution_id, "load")
        await journal.record(started)
        await journal.record(
            ending(execution_id, step_id, StepStatus.COMPLETED, output_data=encode({"rows": [1]}, "output"))
        )
        first = (await journal.get_execution_steps(execution_id))[0]
        assert isinstance(first.output_data, dict)
        first.output_data["rows"].append("spoilt")
        assert (await journal.get_execution_steps(execution_id))[0].output_data == {"rows": [1]}

    async def test_after_a_failure_comes_the_next_attempt_and_after_a_success_the_next_iteration(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        for status in (StepStatus.FAILED, StepStatus.LOST, StepStatus.COMPLETED, StepStatus.COMPLETED):
            started, step_id = starting(execution_id, "flaky")
            await journal.record(started)
            await journal.record(ending(execution_id, step_id, status))
        steps = await journal.get_execution_steps(execution_id)
        assert [(step.iteration, step.attempt) for step in steps] == [(1, 1), (1, 2), (1, 3), (2, 1)]
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert (record.completed_steps, record.failed_steps) == (2, 0)

    async def test_one_transition_ends_an_attempt_and_begins_the_next(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, first = starting(execution_id, "flaky")
        await journal.record(started)
        retry, _ = starting(execution_id, "flaky")
        both = replace(retry, updates=ending(execution_id, first, StepStatus.FAILED).updates)
        recorded = await journal.record(both)
        steps = await journal.get_execution_steps(execution_id)
        assert [(step.attempt, step.status) for step in steps] == [(1, StepStatus.FAILED), (2, StepStatus.RUNNING)]
        assert {step.sequence for step in steps} == {recorded.sequence}
        assert (await journal.record(both)).changed is False
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert record.failed_steps == 0  # counted by the latest attempt, which runs

    async def test_who_begins_attempts_learns_their_iterations_also_when_it_is_written_again(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        for iteration in (1, 2):
            started, step_id = starting(execution_id, "work")
            other, _ = starting(execution_id, "once")
            both = replace(started, starts=(*started.starts, replace(other.starts[0], iteration=7, attempt=iteration)))
            recorded = await journal.record(both)
            await journal.record(ending(execution_id, step_id, StepStatus.COMPLETED))
            again = await journal.record(both)
            assert recorded.iterations == again.iterations == (iteration, 7)
            assert (recorded.changed, again.changed) == (True, False)

    async def test_what_is_written_late_has_the_times_at_which_it_was(
        self, journal: OperatorJournal, pipeline_id: PipelineId
    ) -> None:
        execution_id = ExecutionId(new_id())
        new = NewExecution(pipeline_id=pipeline_id, age_seconds=400)
        await journal.record(Transition(execution_id=execution_id, writer=OWNER, new=new))
        begun, step_id = starting(execution_id, "load")
        start = replace(begun.starts[0], age_seconds=300)
        ended = ending(execution_id, step_id, StepStatus.COMPLETED)
        update = replace(ended.updates[0], age_seconds=200)
        await journal.record(replace(begun, starts=(start,)))
        await journal.record(replace(ended, updates=(update,)))
        change = ExecutionUpdate(status=ExecutionStatus.COMPLETED, age_seconds=100)
        await journal.record(Transition(execution_id=execution_id, writer=OWNER, change=change))
        (step,) = await journal.get_execution_steps(execution_id)
        record = await journal.get_execution(execution_id)
        assert record is not None
        times = [record.started_at, step.started_at, step.completed_at, record.completed_at]
        assert None not in times
        assert times == sorted(each for each in times if each is not None)
        assert (step.duration_seconds or 0) >= 99
        assert (record.duration_seconds or 0) >= 299

    async def test_metadata_of_the_end_takes_the_place_of_that_of_the_beginning(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        for metadata, expected in ((None, {"by": "start"}), (encode({"by": "end"}, "metadata"), {"by": "end"})):
            begun, step_id = starting(execution_id, "load")
            start = replace(begun.starts[0], metadata=encode({"by": "start"}, "metadata"))
            await journal.record(replace(begun, starts=(start,)))
            ended = ending(execution_id, step_id, StepStatus.COMPLETED)
            await journal.record(replace(ended, updates=(replace(ended.updates[0], metadata=metadata),)))
            assert (await journal.get_execution_steps(execution_id))[-1].metadata == expected
        change = ExecutionUpdate(status=ExecutionStatus.COMPLETED, metadata=encode([1], "metadata"))
        await journal.record(Transition(execution_id=execution_id, writer=OWNER, change=change))
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert record.metadata == [1]

    async def test_an_attempt_ends_once(self, journal: OperatorJournal, execution_id: ExecutionId) -> None:
        started, step_id = starting(execution_id, "once")
        await journal.record(started)
        failure = Failure(type="ValueError", message="no", traceback="Traceback …")
        failed = ending(execution_id, step_id, StepStatus.FAILED, failure=failure)
        assert (await journal.record(failed)).changed is True
        assert (await journal.record(failed)).changed is False
        with pytest.raises(AlreadyFinished, match="already failed"):
            await journal.record(ending(execution_id, step_id, StepStatus.COMPLETED))
        (step,) = await journal.get_execution_steps(execution_id)
        assert (step.error_type, step.error_message, step.traceback) == ("ValueError", "no", "Traceback …")
        record = await journal.get_execution(execution_id)
        assert record is not None
        assert (record.completed_steps, record.failed_steps) == (0, 1)

    async def test_what_a_step_does_outside_stands_at_its_attempts(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        begun, _ = starting(execution_id, "load")
        for effect in (None, *EFFECTS):
            start = replace(begun.starts[0], step_execution_id=StepExecutionId(new_id()), effect=effect)
            await journal.record(replace(begun, starts=(start,)))
        steps = await journal.get_execution_steps(execution_id)
        assert [step.effect for step in steps] == [None, *EFFECTS]
        assert [step.effect for step in (await journal.changes(execution_id)).steps] == [None, *EFFECTS]

    async def test_a_failed_execution_says_what_its_failure_has_in_common_with_others(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        async def fail(change: ExecutionUpdate, step_id: str | None = None) -> str | None:
            failed = replace(change, status=ExecutionStatus.FAILED)
            await journal.record(Transition(execution_id=execution_id, writer=OWNER, change=failed))
            record = await journal.get_execution(execution_id)
            await journal.take_over(execution_id, owner=OWNER, reopen=True)
            reopened = (await journal.changes(execution_id)).execution
            assert record is not None
            assert record.failed_step == step_id
            assert (reopened.failure_group, reopened.failed_step) == (None, None)
            return record.failure_group

        whole, own = Failure(type="StepError", message="row 1"), Failure(type="ValueError", message="row 2")
        assert await fail(ExecutionUpdate()) == group_of("", None, "").id
        assert await fail(ExecutionUpdate(failure=whole)) == group_of("", "StepError", "row 3").id
        named = ExecutionUpdate(failure=whole, failed_step=FailedStep(step_id="load", failure=own))
        assert await fail(named, "load") == group_of("load", "ValueError", "row 3").id
        found = ExecutionUpdate(failure=whole, finds_failed_step=True)
        assert await fail(found) == group_of("", "StepError", "row 3").id
        for step_id, failure in (("first", None), ("second", own)):
            begun, attempt = starting(execution_id, step_id)
            await journal.record(begun)
            await journal.record(ending(execution_id, attempt, StepStatus.FAILED, failure=failure))
        assert await fail(found, "first") == group_of("first", "StepError", "row 3").id
        begun, attempt = starting(execution_id, "first")  # its next attempt
        await journal.record(begun)
        await journal.record(ending(execution_id, attempt, StepStatus.COMPLETED))
        assert await fail(found, "second") == group_of("second", "ValueError", "row 3").id

    async def test_what_is_failed_for_its_lost_process_has_a_group(
        self, journal: OperatorJournal, pipeline_id: PipelineId
    ) -> None:
        groups: set[str | None] = set()
        for _ in range(2):
            lease = await claimed_of(journal, pipeline_id)
            begun, _ = starting(lease.execution_id, "load")
            await journal.record(replace(begun, writer=journal.owner))
            (stalled,) = [each for each in await journal.ownership.owned() if each.lease == lease]
            message = f"Again and again. Go on: ia-modules executions resume {lease.execution_id}"
            recovery = Recovery(status=ExecutionStatus.FAILED, failure=Failure(type="CrashLoop", message=message))
            assert await journal.ownership.recover(stalled, recovery)
            groups.add((await journal.changes(lease.execution_id)).execution.failure_group)
        assert groups == {
            group_of("", "CrashLoop", f"Again and again. Go on: ia-modules executions resume {new_id()}").id
        }

    async def test_a_transition_is_found_by_the_attempt_it_updates(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, step_id = starting(execution_id, "load")
        await journal.record(started)
        ended = replace(ending(execution_id, step_id, StepStatus.COMPLETED), execution_id=None)
        assert (await journal.record(ended)).execution_id == execution_id
        lost = replace(ending(execution_id, StepExecutionId("nowhere"), StepStatus.COMPLETED), execution_id=None)
        with pytest.raises(StepExecutionNotFound, match="nowhere"):
            await journal.record(lost)

    async def test_an_attempt_of_another_execution_is_not_found_in_this_one(
        self, journal: OperatorJournal, execution_id: ExecutionId, pipeline_id: PipelineId
    ) -> None:
        other = ExecutionId(new_id())
        new = NewExecution(pipeline_id=pipeline_id, pipeline_name="A pipeline")
        started, step_id = starting(other, "load")
        await journal.record(replace(started, new=new))
        with pytest.raises(StepExecutionNotFound):
            await journal.record(ending(execution_id, step_id, StepStatus.COMPLETED))
        start = replace(started.starts[0], step_id="another", step_name="another")
        with pytest.raises(StepConflict, match="recorded as load"):
            await journal.record(replace(started, starts=(start,)))

    async def test_a_refused_transition_leaves_nothing_behind(
        self, journal: OperatorJournal, execution_id: ExecutionId
    ) -> None:
        started, _ = starting(execution_id, "load")
        unknown = ending(execution_id, StepExecutionId(new_id()), StepStatus.COMPLETED)
        line = LogLine(log_id=new_id(), message="never")
        with pytest.raises(StepExecutionNotFound):
            await journal.record(replace(started, updates=unknown.updates, logs=(line,)))
        changes = await journal.changes(execution_id)
        assert (changes.steps, changes.logs, changes.upto) == ((), (), 1)

    async def test_progress_after_the_end_is_dropped(self, journal: OperatorJournal, execution_id: ExecutionId) -> None:
        started, step_id = starting(execution_id, "slow")
        await journal.record(started)
        half = replace(
            ending(execution_id, step_id, None), updates=(StepUpdate(step_execution_id=step_id, progress=0.5),)
        )
        assert (await journal.record(half)).changed is True
        await journal.record(ending(execution_id, step_id, StepStatus.COMPLETED))
        assert (await journal.record(half)).changed is False
        assert (await journal.get_execution_steps(execution_id))[0].progress == 0.5
