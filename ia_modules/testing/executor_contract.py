"""What everything promises that runs steps, as tests: subclass :class:`ExecutorContract`, provide ``executor``.

Where steps run in processes of their own, it is :class:`ProcessesContract`, which promises more; where these are not of
this machine alone, :class:`RemoteContract`.
"""

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

from ia_modules.errors import PayloadError, PipelineDefinitionError, StepAbandoned, StepError, StepKilled, StepTimeout
from ia_modules.models import (
    ExecutionId,
    ExecutionRecord,
    ExecutionStatus,
    LogLevel,
    LogRecord,
    StepExecutionRecord,
    StepStatus,
    new_id,
)
from ia_modules.paths import GRAPH, run_path
from ia_modules.pipeline.authoring import Flow
from ia_modules.pipeline.code import LoadedPipeline, load_pipeline
from ia_modules.pipeline.executor import StepExecutor
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.loader import load
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.runner import Runner
from ia_modules.pipeline.services import ServiceRegistry, made_services
from ia_modules.pipeline.step_modules import StepModules
from ia_modules.testing import executor_steps
from ia_modules.testing.executor_steps import until

STEPS = executor_steps.__name__
RETRY = {"retry": {"max_attempts": 3, "initial_delay": 0, "jitter": False}}


class StepAsRecorded:
    """How an execution of one step ended, by what is on record."""

    def __init__(self, execution: ExecutionRecord, attempts: list[StepExecutionRecord], lines: list[LogRecord]) -> None:
        self.execution, self.attempts, self.lines = execution, attempts, lines

    @property
    def last(self) -> StepExecutionRecord:
        return self.attempts[-1]

    @property
    def output(self) -> Any:
        assert self.execution.status is ExecutionStatus.COMPLETED, self.last.error_message
        return self.last.output_data

    @property
    def error(self) -> tuple[str | None, str | None]:
        assert self.execution.status is ExecutionStatus.FAILED
        return self.last.error_type, self.last.error_message

    @property
    def traceback(self) -> str:
        return self.last.traceback or ""


class ExecutorContract:
    """The promises of an executor.

    The fixture ``executor`` gives it; ``journal`` what records, in memory where a subclass does not say otherwise; and
    ``keys`` what a step says in a pipeline file to run there.
    """

    @pytest.fixture
    def executor(self) -> StepExecutor:
        raise NotImplementedError("a subclass provides the executor that is held to the contract")

    @pytest.fixture
    def keys(self) -> dict[str, Any]:
        return {}

    @pytest.fixture
    def journal(self) -> OperatorJournal:
        return MemoryJournal()

    @pytest.fixture
    async def running(self, executor: StepExecutor, journal: OperatorJournal, keys: dict[str, Any]) -> "ContractRunner":
        return ContractRunner(executor, journal, keys)

    # What it gives

    async def test_a_function_is_called_by_its_signature_and_gives_its_result(self, running: "ContractRunner") -> None:
        order = {"order": {"customer": "Ada", "amounts": [1, 2]}}
        assert (await running.ran("total_async", order)).output == {"customer": "Ada", "total": 3}
        output = (await running.ran("total", order)).output
        assert (output["customer"], output["total"]) == ("Ada", 4.5)

    async def test_a_class_has_its_config(self, running: "ContractRunner") -> None:
        ran = await running.ran("Scaled", {"number": 4}, config={"factor": 10})
        assert ran.output == {"scaled": 40}

    async def test_each_item_of_a_map_is_an_attempt_of_its_own(self, running: "ContractRunner") -> None:
        ran = await running.ran("doubled", {"numbers": [1, 2, 3]}, map="{pipeline_input.numbers}")
        assert ran.output["items"] == [2, 4, 6]

    async def test_an_async_generator_streams(self, running: "ContractRunner") -> None:
        ran = await running.ran("streams", {})
        assert ran.output == {"text": "one two three"}
        assert "".join(line.message for line in ran.lines if line.level is LogLevel.OUTPUT) == "one two three"

    async def test_a_question_pauses_the_execution(self, running: "ContractRunner", journal: OperatorJournal) -> None:
        ran = await running.ran("asks", {"number": 7})
        assert ran.execution.status is ExecutionStatus.WAITING_FOR_HUMAN
        (question,) = await journal.get_interactions(ran.execution.execution_id)
        assert question.prompt == "Shall it be?"

    async def test_50_mb_are_carried_whole_refused_by_the_record_and_not_made_again(
        self, running: "ContractRunner", tmp_path: Path
    ) -> None:
        ran = await running.ran("gives_much", {"bytes": 50_000_000}, tmp_path, error_handling=RETRY)
        assert ran.error[0] == PayloadError.__name__
        assert "50,0" in str(ran.error[1])
        assert (len(ran.attempts), _calls(tmp_path)) == (1, 1)

    async def test_a_result_that_is_no_json_fails_the_step_in_the_words_of_the_record(
        self, running: "ContractRunner"
    ) -> None:
        kind, message = (await running.ran("gives_no_json", {})).error
        assert kind == PayloadError.__name__
        assert "result of step 'step'" in str(message)

    # How it fails

    async def test_an_error_has_its_type_its_message_its_cause_and_its_traceback(
        self, running: "ContractRunner", tmp_path: Path
    ) -> None:
        ran = await running.ran("fails", {}, tmp_path)
        assert ran.error == ("OutOfStock", "0 of 'apples' left")
        assert "in fails" in ran.traceback
        assert "KeyError: 'apples'" in ran.traceback
        assert ran.traceback.rstrip().endswith("executor_steps.OutOfStock: 0 of 'apples' left")
        assert isinstance(running.raised, StepError)
        cause = running.raised.__cause__
        assert isinstance(cause, executor_steps.OutOfStock)
        assert (cause.item, cause.left) == ("apples", 0)
        assert isinstance(cause.__cause__, KeyError)

    @pytest.mark.parametrize(("retry_on", "attempts"), [("LookupError", 2), ("OutOfStock", 2), ("KeyError", 1)])
    async def test_it_is_retried_for_its_class_and_those_below(
        self, running: "ContractRunner", tmp_path: Path, retry_on: str, attempts: int
    ) -> None:
        retry = {"retry": {**RETRY["retry"], "max_attempts": 2, "retry_on": [retry_on]}}
        ran = await running.ran("fails", {}, tmp_path, error_handling=retry)
        assert (len(ran.attempts), _calls(tmp_path)) == (attempts, attempts)

    async def test_an_attempt_that_failed_is_made_again(self, running: "ContractRunner", tmp_path: Path) -> None:
        ran = await running.ran("fails_once", {}, tmp_path, error_handling=RETRY)
        assert ran.output == {"calls": 2}
        assert [each.status for each in ran.attempts] == [StepStatus.FAILED, StepStatus.COMPLETED]

    async def test_its_fallback_is_given_its_error(self, running: "ContractRunner") -> None:
        ran = await running.ran("Falls", {"number": 4}, error_handling={"enable_fallback": True})
        assert ran.output == {"instead": 4, "of": "OutOfStock", "why": "3 of 'apples' left"}

    async def test_a_step_that_exits_fails_and_nothing_else_does(self, running: "ContractRunner") -> None:
        kind, message = (await running.ran("exits", {})).error
        assert kind == "StepExited"
        assert "ended itself (3)" in str(message)
        assert (await running.ran("Scaled", {"number": 1}, config={"factor": 2})).output == {"scaled": 2}

    # How it is stopped

    @pytest.mark.parametrize("code", ["waits_until_stopped", "spins_until_killed"])
    async def test_what_takes_too_long_fails(self, running: "ContractRunner", tmp_path: Path, code: str) -> None:
        ran = await running.ran(code, {}, tmp_path, timeout_seconds=0.3)
        (tmp_path / "file.end").touch()
        assert ran.error[0] == StepTimeout.__name__
        assert "0.3" in str(ran.error[1])

    async def test_async_code_that_is_cancelled_tidies_up(self, running: "ContractRunner", tmp_path: Path) -> None:
        ran = await running.cancelled("waits_until_stopped", tmp_path)
        assert (ran.execution.status, ran.last.status) == (ExecutionStatus.CANCELLED, StepStatus.CANCELLED)
        assert _calls(tmp_path / "file.tidied") == 1
        assert not ran.lines

    # What it says

    async def test_code_knows_where_it_runs(self, running: "ContractRunner") -> None:
        ran = await running.ran("describes_itself", {}, config={"limit": 5})
        execution_id = ran.execution.execution_id
        assert ran.output == {
            "step": "step",
            "iteration": 1,
            "attempt": 1,
            "key": f"{execution_id}/step/1",
            "config": {"limit": 5},
            "same": True,
            "execution": execution_id,
            "trace": None,
        }

    async def test_what_it_says_is_on_record_while_it_runs(
        self, running: "ContractRunner", journal: OperatorJournal, tmp_path: Path
    ) -> None:
        release = tmp_path / "file"
        going = asyncio.create_task(running.ran("tells", {}, tmp_path))
        execution_id = await running.begun()
        while True:
            (step,) = await journal.get_execution_steps(execution_id) or [None]
            lines = (await journal.changes(execution_id)).logs
            if step is not None and step.progress == 0.25 and step.usage and len(lines) >= 5:
                break
            await asyncio.sleep(0.02)
        assert step.status is StepStatus.RUNNING
        assert {(line.level, line.message, line.logger) for line in lines} == {
            (LogLevel.WARNING, "logged", None),
            (LogLevel.ERROR, "by logging", executor_steps.logger.name),
            (LogLevel.INFO, "printed", "stdout"),
            (LogLevel.OUTPUT, "hello world", "answer"),
            (LogLevel.OUTPUT, "", "calls"),
        }
        release.touch()
        ran = await going
        assert ran.output == {"told": True}
        assert [line.message for line in ran.lines].count("last") == 1
        assert (ran.execution.input_tokens, ran.execution.output_tokens) == (11, 5)
        assert ran.last.progress_message == "a quarter"

    async def test_what_it_calls_within_itself_is_on_record_and_not_called_again(
        self, running: "ContractRunner", journal: OperatorJournal, tmp_path: Path
    ) -> None:
        ran = await running.ran("calls_within", {}, tmp_path, error_handling=RETRY)
        assert ran.output == {"first": 2, "second": 4}
        assert [each.status for each in ran.attempts] == [StepStatus.FAILED, StepStatus.COMPLETED]
        assert _calls(tmp_path) == 2
        within = await journal.get_execution_steps(ran.execution.execution_id, within=run_path(GRAPH, "step", 1))
        calls = [(each.step_id, each.iteration, each.status, each.output_data) for each in within]
        assert calls == [
            ("double", 1, StepStatus.COMPLETED, 2),
            ("double", 2, StepStatus.COMPLETED, 4),
            ("sleep", 1, StepStatus.COMPLETED, None),
        ]
        assert ran.execution.input_tokens == 3

    async def test_a_plain_function_calls_within_itself(self, running: "ContractRunner", tmp_path: Path) -> None:
        assert (await running.ran("calls_from_thread", {}, tmp_path)).output == {"double": 8}
        assert _calls(tmp_path) == 1

    async def test_it_finds_services(self, running: "ContractRunner") -> None:
        async with made_services(executor_steps.made_services) as services:
            services.made_by = f"{STEPS}:made_services"
            ran = await running.ran("uses_services", {}, services=services)
        assert ran.output["greeting"].startswith("hello from ")
        assert ran.output["names"] == ["greeting"]


class RemoteContract(ExecutorContract):
    """The promises of what runs steps in other processes; ``keys`` says which."""

    async def test_the_crash_of_its_process_fails_the_attempt_in_words_and_the_next_runs_in_another(
        self, running: "ContractRunner", tmp_path: Path
    ) -> None:
        ran = await running.ran("dies", {}, tmp_path, error_handling=RETRY)
        assert ran.output == {"calls": 2}
        failed, completed = ran.attempts
        assert (failed.error_type, completed.status) == ("StepProcessEnded", StepStatus.COMPLETED)
        assert "SIGKILL" in str(failed.error_message)

    async def test_code_that_computes_is_ended_when_it_is_cancelled_and_that_is_said(
        self, running: "ContractRunner", tmp_path: Path
    ) -> None:
        ran = await running.cancelled("spins_until_killed", tmp_path)
        assert (ran.execution.status, ran.last.status) == (ExecutionStatus.CANCELLED, StepStatus.CANCELLED)
        assert [(line.level, line.message) for line in ran.lines] == [(LogLevel.WARNING, str(StepKilled("step")))]
        await until(lambda: not lives(int((tmp_path / "file").read_text())))

    async def test_code_that_computes_too_long_is_ended_with_what_it_has_started(
        self, running: "ContractRunner", tmp_path: Path
    ) -> None:
        ran = await running.ran("runs_a_program", {}, tmp_path, timeout_seconds=1.0)
        assert ran.error[0] == StepTimeout.__name__
        assert "its process was ended" in ran.traceback
        pids = [int(pid) for pid in (tmp_path / "file").read_text().split()]
        assert len(pids) == 2
        await until(lambda: not any(map(lives, pids)))

    async def test_objects_of_the_program_and_its_tracker_are_not_there_and_that_is_said(
        self, running: "ContractRunner"
    ) -> None:
        kind, message = (await running.ran("uses_services", {}, services=ServiceRegistry({"greeting": "hi"}))).error
        assert kind == "ServiceNotFound"
        assert "Step 'step' runs in a process of its own" in str(message)

    async def test_services_that_cannot_be_made_fail_the_step(self, running: "ContractRunner") -> None:
        services = ServiceRegistry(made_by=f"{STEPS}:services_that_fail")
        kind, message = (await running.ran("uses_services", {}, services=services)).error
        assert kind == "StepError"
        assert f"the services of {STEPS}:services_that_fail could not be made" in str(message)
        assert "no services today" in str(message)

    @pytest.mark.parametrize("module", ["__main__", "nowhere", STEPS])
    async def test_code_that_no_other_process_can_import_is_refused_when_it_is_loaded(
        self, keys: dict[str, Any], module: str
    ) -> None:
        alike = FunctionType(executor_steps.doubled.__code__, {"__name__": module}, "doubled")
        nested = FunctionType(executor_steps.doubled.__code__, {"__name__": STEPS}, "doubled")
        nested.__qualname__ = "make.<locals>.doubled"
        for code in (alike, nested):
            flow = Flow("Heavy")
            flow.add(code, **keys)
            with pytest.raises(PipelineDefinitionError, match="a function or a class at the top level of a module"):
                flow.load()

    async def test_a_folder_whose_modules_changed_is_loaded_anew_by_another_process(
        self, running: "ContractRunner", tmp_path: Path
    ) -> None:
        for number in (1, 2):
            (tmp_path / "shared.py").write_text(f"NUMBER = {number}\n")
            (tmp_path / "own_steps.py").write_text("import shared\ndef give(data):\n    return {'n': shared.NUMBER}\n")
            assert (await running.ran("give", {}, folder=tmp_path, module="own_steps")).output == {"n": number}

    async def test_code_that_changed_after_it_was_loaded_is_not_run(
        self, running: "ContractRunner", tmp_path: Path
    ) -> None:
        (tmp_path / "own_steps.py").write_text("def give(data):\n    return {'n': 1}\n")
        pipeline = running.pipeline("give", folder=tmp_path, module="own_steps")
        (tmp_path / "own_steps.py").write_text("def give(data):\n    return {'n': 2}\n")
        kind, message = (await running.ran_pipeline(pipeline, {})).error
        assert kind == "StepError"
        assert "module 'own_steps' has changed" in str(message)

    # Pools

    async def test_a_pool_keeps_the_object_of_its_step(self, running: "ContractRunner") -> None:
        pool = {"name": new_id()}
        first, second = [(await running.ran("Warm", {}, pool=pool)).output for _ in range(2)]
        assert second == {"calls": 2, "pid": first["pid"]}
        other = (await running.ran("Warm", {}, pool=pool, config={"model": "another"})).output
        assert other["calls"] == 1

    async def test_attempts_in_a_pool_of_more_than_one_run_at_once_and_each_knows_where_it_is(
        self, running: "ContractRunner", tmp_path: Path
    ) -> None:
        file, pool = str(tmp_path / "file"), {"name": new_id(), "max_concurrency": 3}
        inputs = {"number": 3, "file": "{parameters.file}"}
        ran = await running.ran(
            "Meets", {"file": file, "keys": [1, 2, 3]}, pool=pool, map="{pipeline_input.keys}", inputs=inputs
        )
        items = ran.output["items"]
        assert [len(set(item["attempts"])) for item in items] == [1, 1, 1]
        assert len({item["attempts"][0] for item in items}) == 3
        assert len({item["pid"] for item in items}) == 1

    async def test_a_pool_of_one_makes_one_attempt_after_the_other(self, running: "ContractRunner") -> None:
        ran = await running.ran("Warm", {"numbers": [1, 2, 3]}, pool=new_id(), map="{pipeline_input.numbers}")
        assert sorted(item["calls"] for item in ran.output["items"]) == [1, 2, 3]

    async def test_a_crash_in_a_pool_fails_what_runs_there_and_the_next_begins_anew(
        self, running: "ContractRunner"
    ) -> None:
        pool = {"name": new_id()}
        warm = (await running.ran("Warm", {"crash": False}, pool=pool)).output
        assert (await running.ran("Warm", {"crash": True}, pool=pool)).error[0] == "StepProcessEnded"
        anew = (await running.ran("Warm", {"crash": False}, pool=pool)).output
        assert anew["calls"] == 1
        assert anew["pid"] != warm["pid"]

    @pytest.mark.parametrize("max_concurrency", [1, 2])
    async def test_async_code_in_a_pool_that_is_cancelled_tidies_up_and_its_object_stays(
        self, running: "ContractRunner", tmp_path: Path, max_concurrency: int
    ) -> None:
        keys: dict[str, Any] = {"pool": {"name": new_id(), "max_concurrency": max_concurrency}}
        warm = (await running.ran("WaitsWarm", {}, **keys)).output
        ran = await running.cancelled("WaitsWarm", tmp_path, {"how": "waits"}, **keys)
        assert (ran.execution.status, ran.lines) == (ExecutionStatus.CANCELLED, [])
        assert _calls(tmp_path / "file.tidied") == 1
        assert (await running.ran("WaitsWarm", {}, **keys)).output == {"calls": 2, "pid": warm["pid"]}

    async def test_code_that_computes_in_a_pool_of_one_is_ended_with_its_process(
        self, running: "ContractRunner", tmp_path: Path
    ) -> None:
        keys: dict[str, Any] = {"pool": {"name": new_id()}}
        warm = (await running.ran("ComputesWarm", {}, **keys)).output
        ran = await running.cancelled("ComputesWarm", tmp_path, **keys)
        assert [line.message for line in ran.lines] == [str(StepKilled("step"))]
        await until(lambda: not lives(warm["pid"]))
        assert (await running.ran("ComputesWarm", {}, **keys)).output["calls"] == 1

    async def test_plain_code_in_a_pool_of_more_is_left_alone_which_is_said_and_the_pool_goes_on(
        self, running: "ContractRunner", tmp_path: Path
    ) -> None:
        keys: dict[str, Any] = {"pool": {"name": new_id(), "max_concurrency": 2}}
        warm = (await running.ran("ComputesWarm", {}, **keys)).output
        ran = await running.cancelled("ComputesWarm", tmp_path, **keys)
        assert [line.message for line in ran.lines] == [str(StepAbandoned("step"))]
        timed = await running.ran("ComputesWarm", {}, tmp_path, timeout_seconds=0.3, **keys)
        (tmp_path / "file.end").touch()
        assert timed.error[0] == StepTimeout.__name__
        assert "may still run" in timed.traceback
        assert (await running.ran("ComputesWarm", {}, **keys)).output["pid"] == warm["pid"]

    async def test_a_pool_whose_loop_is_held_by_what_was_cancelled_begins_anew_elsewhere(
        self, running: "ContractRunner", tmp_path: Path
    ) -> None:
        keys: dict[str, Any] = {"pool": {"name": new_id(), "max_concurrency": 2}}
        warm = (await running.ran("WaitsWarm", {}, **keys)).output
        ran = await running.cancelled("WaitsWarm", tmp_path, {"how": "holds the loop"}, **keys)
        assert [line.message for line in ran.lines] == [str(StepAbandoned("step"))]
        assert (await running.ran("WaitsWarm", {}, **keys)).output["calls"] == 1
        await until(lambda: not lives(warm["pid"]))

    async def test_a_pool_that_has_nothing_to_do_ends_after_a_while(self, running: "ContractRunner") -> None:
        pool = {"name": new_id(), "idle_seconds": 0.3}
        warm = (await running.ran("Warm", {}, pool=pool)).output
        await until(lambda: not lives(warm["pid"]))
        assert (await running.ran("Warm", {}, pool=pool)).output["calls"] == 1


class ProcessesContract(RemoteContract):
    """The promises of what runs steps in processes beside this one."""

    async def test_it_runs_in_another_process_which_is_used_again(self, running: "ContractRunner") -> None:
        order = {"order": {"customer": "Ada", "amounts": [1]}}
        pids = {(await running.ran("total", order)).output["pid"] for _ in range(3)}
        assert len(pids) == 1
        assert os.getpid() not in pids


class ContractRunner:
    """Runs pipelines of one step with an executor.

    Attributes:
        raised: by the last execution; None: nothing.
    """

    def __init__(self, executor: StepExecutor, journal: OperatorJournal, keys: dict[str, Any]) -> None:
        self._executor, self._journal, self._keys = executor, journal, keys
        self._begun: asyncio.Future[ExecutionId] = asyncio.get_running_loop().create_future()
        self.raised: BaseException | None = None

    def pipeline(self, code: str, *, folder: Path | None = None, module: str = STEPS, **keys: Any) -> LoadedPipeline:
        """One step, called ``step``, with this code."""
        step = {"id": "step", "step_class": code, "module": module, **self._keys, **keys}
        document = {"name": "Contract", "steps": [step], "flow": {"start_at": "step"}}
        return load_pipeline(load(document).definition, StepModules(folder), folder=folder)

    async def ran(
        self,
        code: str,
        input_data: Mapping[str, Any],
        file_in: Path | None = None,
        *,
        services: ServiceRegistry | None = None,
        **keys: Any,
    ) -> StepAsRecorded:
        """Run it; ``file_in``: a folder for the file that its input names."""
        named = {} if file_in is None else {"file": str(file_in / "file")}
        return await self.ran_pipeline(self.pipeline(code, **keys), {**input_data, **named}, services)

    async def ran_pipeline(
        self, pipeline: LoadedPipeline, input_data: Mapping[str, Any], services: ServiceRegistry | None = None
    ) -> StepAsRecorded:
        runner = Runner(self._journal, services=services, executor=self._executor)
        started = await runner.start(pipeline, input_data, new_version=True)
        if not self._begun.done():
            self._begun.set_result(started.execution_id)
        self.raised = None
        try:
            await started.to_end()
        except Exception as error:  # noqa: BLE001 - looked at by the test
            self.raised = error
        return await self.recorded(started.execution_id)

    async def cancelled(
        self, code: str, file_in: Path, input_data: Mapping[str, Any] | None = None, **keys: Any
    ) -> StepAsRecorded:
        """Cancel it as soon as its code runs."""
        self._begun = asyncio.get_running_loop().create_future()
        going = asyncio.create_task(self.ran(code, input_data or {}, file_in, **keys))
        execution_id = await self.begun()
        await until((file_in / "file").exists)
        going.cancel()
        with suppress(asyncio.CancelledError):
            await going
        return await self.recorded(execution_id)

    async def begun(self) -> ExecutionId:
        """The first execution, or the one that is cancelled, once it is on record."""
        return await self._begun

    async def recorded(self, execution_id: ExecutionId) -> StepAsRecorded:
        execution = await self._journal.get_execution(execution_id)
        assert execution is not None
        attempts = await self._journal.get_execution_steps(execution_id)
        return StepAsRecorded(execution, attempts, list((await self._journal.changes(execution_id)).logs))


def _calls(place: Path) -> int:
    """How often the code of a test was called, by its file."""
    file = place / "file" if place.is_dir() else place
    return file.stat().st_size


def lives(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split(")")[-1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
