"""Runs steps of a recorded run again, in a test, and compares what they give with what is on record.

    def test_scoring_gives_what_it_gave() -> None:
        replay("tests/runs/nightly.iarun", steps=["score"]).assert_same()

Each step gets the input that it had, and what it calls through ``context.step`` is answered from the record where it
completed. Nothing is recorded, and nothing else of the pipeline runs or is imported.
"""

import asyncio
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson
from msgspec.structs import replace

from ia_modules.errors import InnerStepConflict, InvalidArgument, refuse_on_loop
from ia_modules.models import (
    ExecutionId,
    ExecutionRecord,
    PipelineVersionRecord,
    RunPath,
    StepExecutionRecord,
    StepStatus,
    effect_text,
)
from ia_modules.paths import GRAPH, path_of
from ia_modules.payload import encode
from ia_modules.pipeline.attempt import Outcome, placed, prepare, run_alone
from ia_modules.pipeline.code import LoadedPipeline, load_steps
from ia_modules.pipeline.core import Inner, StepContext
from ia_modules.pipeline.current import inside
from ia_modules.pipeline.document.definition import PipelineDefinition
from ia_modules.pipeline.document.scope import RunFacts
from ia_modules.pipeline.executor import LocalExecutor
from ia_modules.pipeline.inner_calls import (
    InnerKey,
    Numbering,
    arguments_hash,
    arguments_of,
    hash_of,
    is_answered,
    newest_of_each,
    restored,
)
from ia_modules.pipeline.overrides import overrides_of
from ia_modules.pipeline.recorded import RecordedRun, recorded_results, recorded_runs, state_of
from ia_modules.pipeline.results import scope_before
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.pipeline.step_modules import StepModules
from ia_modules.pipeline.versions import definition_of
from ia_modules.tracker.reader import ExecutionReader
from ia_modules.tracker.run_file_reading import OpenedRunFile, opened_run_file
from ia_modules.transitions import ANSWER, Failure

NEVER_CALLED = ("write", "external")
"""Effects of steps that a replay does not call, whoever asks for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedRun:
    """A step run that was made again.

    Attributes:
        step_run: such as ``score#1``.
        recorded, replayed: the results as JSON values, or ``ValueError: bad row`` for a failure.
    """

    step_run: str
    recorded: Any
    replayed: Any

    @property
    def is_same(self) -> bool:
        """Whether both are the same JSON; the order of keys does not count, 1 and 1.0 are two values."""
        return _text(self.recorded) == _text(self.replayed)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedRun:
    """A step run, or a step that never ran (``score``), that was left out, and why."""

    step_run: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What came of a replay."""

    replayed: list[ReplayedRun]
    left_out: list[SkippedRun]

    @property
    def differences(self) -> list[ReplayedRun]:
        return [each for each in self.replayed if not each.is_same]

    def assert_same(self) -> None:
        """Fail the test unless something was replayed and all of it gave what is on record.

        Raises:
            AssertionError: says what differs, and what was left out.
        """
        if not self.replayed or self.differences:
            raise AssertionError(str(self))

    def __str__(self) -> str:
        same = len(self.replayed) - len(self.differences)
        lines = [f"{same} of {len(self.replayed)} step runs gave what is on record."]
        for each in self.differences:
            lines += [
                f"{each.step_run}",
                f"  on record: {_text(each.recorded)}",
                f"  now:       {_text(each.replayed)}",
            ]
        lines += [f"left out: {each.step_run} ({each.reason})" for each in self.left_out]
        return "\n".join(lines)


def replay(
    run: str | Path,
    *,
    steps: Iterable[str] | None = None,
    services: Mapping[str, Any] | None = None,
    folder: str | Path | None = None,
) -> Replay:
    """Run steps of a run file again, each on its recorded input, and compare.

    Args:
        run: the run file, as ``ia-modules executions export ID -o run.iarun`` writes it.
        steps: ids of the steps; None: those that say that they are ``pure``. A step that says it has the effect
            ``write`` or ``external`` is never called.
        services: what the steps find under ``self.services``: these alone.
        folder: where modules that lie beside the pipeline's file are found; None: only what Python finds by itself.

    Raises:
        FileRefused: it is no run file, was changed, or is damaged.
        InvalidArgument: a step is not one of the run, may not be called, or the file has no payloads or no definition.
        PipelineDefinitionError: the code of a step is not there.
        BlockingCallOnLoop: an event loop runs here: await :func:`replay_async`.
    """
    refuse_on_loop("replay", "replay_async")
    return asyncio.run(replay_async(run, steps=steps, services=services, folder=folder))


async def replay_async(
    run: str | Path,
    *,
    steps: Iterable[str] | None = None,
    services: Mapping[str, Any] | None = None,
    folder: str | Path | None = None,
) -> Replay:
    """:func:`replay` for tests on an event loop."""
    recorded = await _read(Path(run))
    definition = definition_of(recorded.version)
    chosen = _chosen(definition, steps)
    modules = StepModules(None if folder is None else Path(folder))
    pipeline = await asyncio.to_thread(load_steps, definition, modules, chosen)
    replaying = _Replaying(pipeline, recorded, ServiceRegistry(services), LocalExecutor())
    replayed: list[ReplayedRun] = []
    left_out = list(_never_chosen(definition, chosen, by_name=steps is not None))
    for each in replaying.runs:
        if each.run.key.step_id in chosen:
            match await replaying.make(each):
                case ReplayedRun() as made:
                    replayed.append(made)
                case SkippedRun() as skipped:
                    left_out.append(skipped)
    ran = {each.run.key.step_id for each in replaying.runs}
    left_out += [SkippedRun(step_run=step_id, reason="it did not run") for step_id in chosen if step_id not in ran]
    return Replay(replayed=replayed, left_out=left_out)


@dataclass(frozen=True, slots=True)
class _RunOnFile:
    """A run as its file has it."""

    execution: ExecutionRecord
    version: PipelineVersionRecord
    records: list[StepExecutionRecord]
    inner: Mapping[RunPath, Mapping[InnerKey, StepExecutionRecord]]


async def _read(path: Path) -> _RunOnFile:
    async with opened_run_file(path) as run:
        if "payloads" in run.contents.left_out:
            raise InvalidArgument("run file", "one without payloads", "one with the inputs that steps had")
        return await _recorded(run)


async def _recorded(run: OpenedRunFile) -> _RunOnFile:
    async with run.database() as database:
        reader = ExecutionReader(database)
        execution = await reader.get_execution(run.contents.execution_id)
        assert execution is not None  # the file refers to it
        version = None
        if execution.pipeline_version is not None:
            version = await reader.get_pipeline_version(execution.pipeline_id, execution.pipeline_version)
        if version is None:
            raise InvalidArgument("run file", "a run that no definition is on record of", "one of a pipeline")
        records = await reader.get_execution_steps(execution.execution_id)
        return _RunOnFile(execution, version, records, await _inner_of(reader, execution.execution_id, records))


async def _inner_of(
    reader: ExecutionReader, execution_id: ExecutionId, records: Iterable[StepExecutionRecord]
) -> dict[RunPath, dict[InnerKey, StepExecutionRecord]]:
    """What was called within these runs, at every depth, by the path of the run around it."""
    found: dict[RunPath, dict[InnerKey, StepExecutionRecord]] = {}
    open_paths = {path_of(each.within, each.step_id, each.iteration) for each in records}
    while open_paths:
        path = open_paths.pop()
        found[path] = newest_of_each(await reader.get_execution_steps(execution_id, within=path))
        open_paths |= {path_of(path, *key) for key in found[path]}
    return found


def _chosen(definition: PipelineDefinition, steps: Iterable[str] | None) -> list[str]:
    """The steps that are to be called; raises InvalidArgument for one that is none, or that is never called."""
    tasks = {step.id: step for step in definition.steps if step.type == "task"}
    if steps is None:
        return [step_id for step_id, step in tasks.items() if step.known_effect == "pure"]
    names = list(dict.fromkeys(steps))
    for name in names:
        if name not in tasks:
            raise InvalidArgument("step to replay", repr(name), f"one that has code: {', '.join(tasks)}")
        if tasks[name].known_effect in NEVER_CALLED:
            expected = "one that changes nothing: a replay calls no step that writes"
            raise InvalidArgument("step to replay", f"{name!r}, whose effect is {tasks[name].known_effect}", expected)
    return names


def _never_chosen(definition: PipelineDefinition, chosen: list[str], *, by_name: bool) -> Iterator[SkippedRun]:
    for step in definition.steps:
        if step.id in chosen:
            continue
        if step.type != "task":
            yield SkippedRun(step_run=step.id, reason="it has no code")
        elif by_name:
            yield SkippedRun(step_run=step.id, reason="it was not named")
        else:
            yield SkippedRun(step_run=step.id, reason=f"its effect is not pure ({effect_text(step.known_effect)})")


class _Replaying:
    """A recorded run whose step runs are made again."""

    def __init__(
        self,
        pipeline: LoadedPipeline,
        recorded: _RunOnFile,
        services: ServiceRegistry,
        executor: LocalExecutor,
    ) -> None:
        self._pipeline, self._execution, self._services, self._executor = (
            pipeline,
            recorded.execution,
            services,
            executor,
        )
        self._inner = recorded.inner
        self._records = {record.step_execution_id: record for record in recorded.records}
        self.runs = recorded_runs(record.as_attempt() for record in recorded.records)
        self._tokens = state_of(pipeline.graph, self.runs)
        self._results = recorded_results(
            self.runs, {record.step_execution_id: record.output_data for record in recorded.records}
        )
        self._overrides = overrides_of(recorded.execution.overrides)

    async def make(self, run: RecordedRun) -> ReplayedRun | SkippedRun:
        """Make a step run once more, on the input that its last attempt had."""
        key, record = run.run.key, self._records[run.last.step_execution_id]
        name = f"{key.step_id}#{key.iteration}"
        if reason := _why_left_out(record):
            return SkippedRun(step_run=name, reason=reason)
        scope = scope_before(self._tokens, run.run.parents, self._input, self._results)
        is_bare = not self._pipeline.graph.has_own_run
        facts = RunFacts(key.iteration, record.attempt, self._execution.execution_id, is_bare=is_bare)
        work = prepare(
            self._pipeline,
            self._pipeline.facts[key.step_id],
            scope.of_run(facts),
            failures=0,
            refused=None,
            override=self._overrides.get(key),
        )
        if work.stored is not None and record.input_data != orjson.loads(work.stored):
            return SkippedRun(
                step_run=name, reason="the input on record is not the one that follows from what ran before"
            )
        context = StepContext(
            execution_id=self._execution.execution_id,
            step_id=key.step_id,
            step_execution_id=record.step_execution_id,
            iteration=key.iteration,
            attempt=record.attempt,
            rerun_of=self._execution.rerun_of,
            inner=_AnsweredCalls(self._inner, path_of(GRAPH, *key)),
            config=work.config,
            services=self._services,
        )
        outcome = await run_alone(placed(work, context), self._executor)
        if outcome.question is not None:
            return SkippedRun(step_run=name, reason="it asks a person")
        return ReplayedRun(step_run=name, recorded=_on_record(record), replayed=_now(outcome))

    @property
    def _input(self) -> Mapping[str, Any]:
        return cast("Mapping[str, Any]", self._execution.input_data or {})


class _AnsweredCalls:
    """What a step calls within itself: answered where it completed on record, called where it did not."""

    def __init__(self, recorded: Mapping[RunPath, Mapping[InnerKey, StepExecutionRecord]], path: RunPath) -> None:
        """``path``: of the run around the calls."""
        self._recorded, self._path, self._key = recorded, path, Numbering().key_of

    async def step(
        self,
        around: StepContext,
        inner: Inner,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        key = self._key(inner)
        answered, answer = self._answer(key, function, args, kwargs)
        if answered:
            return answer
        with inside(self._context(around, key)):
            value = function(*args, **kwargs)
            return await value if inspect.isawaitable(value) else value

    def call(
        self,
        around: StepContext,
        inner: Inner,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        return asyncio.run(self.step(around, inner, function, args, kwargs))

    async def sleep(self, seconds: float) -> None:
        """Nobody waits in a replay."""

    def _answer(
        self, key: InnerKey, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[bool, Any]:
        record = self._recorded.get(self._path, {}).get(key)
        if record is None or not is_answered(record, again_upto=0):
            return False, None
        if hash_of(record) != arguments_hash(arguments_of(function, args, kwargs)):
            raise InnerStepConflict(f"{key.step_id}#{key.iteration}")
        return True, restored(function, encode(record.output_data, "result of an inner step"))

    def _context(self, around: StepContext, key: InnerKey) -> StepContext:
        inside_of_it = _AnsweredCalls(self._recorded, path_of(self._path, *key))
        return replace(around, step_id=key.step_id, iteration=key.iteration, within=self._path, inner=inside_of_it)


def _why_left_out(record: StepExecutionRecord) -> str | None:
    refs = cast("Mapping[str, Any]", record.input_refs or {})
    if record.status not in (StepStatus.COMPLETED, StepStatus.FAILED):
        return f"its last attempt was {record.status.value}"
    if record.awaits == ANSWER:
        return "it asked a person"
    return "somebody gave its result" if refs.get("edited") == "output" else None


def _on_record(record: StepExecutionRecord) -> Any:
    return f"{record.error_type}: {record.error_message}" if record.output_data is None else record.output_data


def _now(outcome: Outcome) -> Any:
    if outcome.error is None or outcome.result is not None:
        return outcome.result
    failure = Failure.of(outcome.error)
    return f"{failure.type}: {failure.message}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
