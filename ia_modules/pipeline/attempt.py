"""One attempt of a step, from its code to what is to be recorded of it. Knows nothing of journals."""

import asyncio
from collections.abc import Awaitable, Mapping
from functools import partial
from typing import Any, cast

import orjson
from msgspec import Struct
from msgspec.structs import replace

from ia_modules.errors import (
    ConditionError,
    LoopLimitExceeded,
    PayloadError,
    Problem,
    StepAbandoned,
    StepError,
    StepKilled,
    StepLost,
    StepOutputError,
)
from ia_modules.models import JsonText, LogLevel
from ia_modules.payload import PAYLOAD_LIMIT_BYTES, clean_text, encode
from ia_modules.pipeline.binding import Binding
from ia_modules.pipeline.code import LoadedPipeline, RemoteStep
from ia_modules.pipeline.core import Step, StepContext
from ia_modules.pipeline.current import enter
from ia_modules.pipeline.document.conditions import FunctionCall, Verdict
from ia_modules.pipeline.document.definition import ErrorHandling, StepDefinition
from ia_modules.pipeline.document.human_input import HUMAN_INPUT_REQUIRED, HumanInput, answered, is_question, question
from ia_modules.pipeline.document.merge import FoldingRules
from ia_modules.pipeline.document.retry import retry_delay, should_retry
from ia_modules.pipeline.document.scope import Scope
from ia_modules.pipeline.executor import StepExecutor, contained, current_step, failure_of
from ia_modules.pipeline.inner_calls import attempts_that_progressed
from ia_modules.pipeline.inputs import (
    StepInput,
    check_contributions,
    check_result,
    replaced_input,
    step_config,
    step_input,
)
from ia_modules.pipeline.mapping import MapItems, items_of
from ia_modules.pipeline.overrides import Override
from ia_modules.pipeline.remote_calls import OwnersDesk, RemoteCall
from ia_modules.pipeline.remote_failures import RemoteFailure
from ia_modules.pipeline.results import encode_result, step_error_result
from ia_modules.pipeline.routing import next_function
from ia_modules.pipeline.standing import StandingFacts
from ia_modules.pipeline.tokens import Route

LOSS_LIMIT = 3
"""How often in a row what runs a step elsewhere may be gone, and nothing that it calls have completed in between."""

OWN_RESULT = (
    "it gave context.result a value, which is for an async generator (a function with `async def` and `yield`). "
    "Return the value."
)


class Work(Struct, frozen=True):
    """An attempt that is to be made.

    Attributes:
        step: the object that runs; None where the step has no code of its own.
        binding: how its function is called; None: it is called with the data as it is.
        data: its input, encoded: each attempt gets a fresh copy.
        stored: its declared inputs, as the record keeps them; None when it declares none.
        input: its input, as the record needs it.
        scope: what is known before it.
        merge: rules that its result has to fit.
        is_lenient: schemas only warn.
        failures: attempts of this step run that have failed so far.
        refused: why it cannot even begin.
        context: where it runs; None until it is known.
        supplied: its result, which somebody gave: nothing runs; None: nobody has.
        items: what it runs for; None: it runs once, be it for one of them.
        keeps_items: those that completed in the execution that is repeated are copied.
        remote: its code, where that runs in another process; then there is no ``step`` here.
        desk: what does for that process what it needs; None until it is known.
        rejoins: it runs elsewhere already, as an earlier owner has begun it.
        losses: how many attempts right before it were lost elsewhere, one after the other.
    """

    definition: StepDefinition
    handling: ErrorHandling
    step: Step | None
    config: dict[str, Any]
    data: JsonText
    stored: JsonText | None
    input: StepInput
    scope: Scope
    merge: FoldingRules
    is_lenient: bool
    failures: int
    refused: StepError | None = None
    context: StepContext | None = None
    supplied: JsonText | None = None
    binding: Binding | None = None
    items: MapItems | None = None
    keeps_items: bool = False
    remote: RemoteStep | None = None
    desk: OwnersDesk | None = None
    rejoins: bool = False
    losses: int = 0


class Outcome(Struct, frozen=True):
    """What came of an attempt.

    Attributes:
        result: what leads on; None when nothing does.
        stored: the result as it is stored.
        error: why it failed; with a result, the failure that was made good for (by the fallback, or by going on).
        succeeded: False for a failure that lets the flow go on.
        retry_seconds: when to try again; None: not at all.
        question: what a person is asked before it goes on.
        verdicts: what the functions on its paths said; None: none was asked.
        routes: where it leads, when that does not depend on the paths' conditions.
        mismatches: what the schema of its result says against it, where schemas only warn.
        is_lost: what ran it elsewhere is gone: it is made again at once, and no retry is counted.
    """

    result: dict[str, Any] | None = None
    stored: JsonText | None = None
    error: Exception | None = None
    succeeded: bool = True
    retry_seconds: float | None = None
    question: HumanInput | None = None
    verdicts: Mapping[FunctionCall, Verdict] | None = None
    routes: tuple[Route, ...] | None = None
    mismatches: tuple[Problem, ...] = ()
    is_lost: bool = False


def prepare(
    pipeline: LoadedPipeline,
    facts: StandingFacts,
    scope: Scope,
    *,
    failures: int,
    refused: StepError | None,
    override: Override | None = None,
) -> Work:
    """The attempt that follows so many failures of its step run: config, input and object are made now.

    Args:
        refused: why it must not begin; None: it may, if all of these can be made.
        override: what stands in the place of its input or its result; None: nothing does.
    """
    if override is not None and override.output_data is not None:
        return _supplied(pipeline, facts, scope, override.output_data)
    definition = facts.definition
    binding = pipeline.bindings.get(definition.id)
    if definition.map is not None and scope.item is None:
        return _mapped(pipeline, facts, scope, refused, override)
    config: dict[str, Any] = {}
    step: Step | None = None
    step_data: StepInput | None = None
    data = NO_INPUT
    stored = NO_INPUT if definition.inputs else None
    is_lenient, where = pipeline.definition.is_lenient, f"input of step {definition.id!r}"
    try:
        config, left_out = step_config(definition, scope, is_lenient=is_lenient)
        config = orjson.loads(orjson.dumps(config)) if config else config  # what a step does to it, only that step sees
        step_data = (
            step_input(definition, scope, is_lenient=is_lenient, by_schema=binding is None or not binding.is_contract)
            if override is None or override.input_data is None
            else replaced_input(definition, orjson.loads(override.input_data), is_lenient=is_lenient)
        )
        if left_out:
            step_data = replace(step_data, left_out=(*left_out, *step_data.left_out))
        if step_data.resolved is not None:  # only what is stored has a limit
            stored = encode(step_data.resolved, where, limit_bytes=PAYLOAD_LIMIT_BYTES)
        is_stored = not step_data.is_state and step_data.resolved is not None
        data = stored or NO_INPUT if is_stored else encode(step_data.data, where, limit_bytes=_ANY_SIZE)
        step = pipeline.new_step(definition, config)
    except StepError as error:
        refused = refused or error
    except PayloadError as error:
        refused = refused or StepError(definition.id, str(error))
    return Work(
        definition,
        facts.handling,
        step,
        config,
        data,
        stored,
        step_data or StepInput({}, is_state=not definition.inputs),
        scope,
        pipeline.graph.folding_rules,
        is_lenient,
        failures,
        refused,
        binding=binding,
        remote=pipeline.remote.get(definition.id),
    )


def _mapped(
    pipeline: LoadedPipeline, facts: StandingFacts, scope: Scope, refused: StepError | None, override: Override | None
) -> Work:
    """An attempt that runs its step for each item of a list: what each of them gets is resolved when it begins."""
    items: MapItems | None = None
    try:
        items = items_of(facts.definition, scope)
        if override is not None and override.input_data is not None:
            what = "it has a map, and no one input that could be another. Change what its list is made of."
            raise StepError(facts.definition.id, what)
    except StepError as error:
        refused = refused or error
    work = replace(_without_code(pipeline, facts, scope), refused=refused, items=items or MapItems(()))
    return work if override is None else replace(work, keeps_items=override.items is not None)


def _supplied(pipeline: LoadedPipeline, facts: StandingFacts, scope: Scope, result: JsonText) -> Work:
    """An attempt that is done already: somebody has given its result."""
    return replace(_without_code(pipeline, facts, scope), supplied=result)


def _without_code(pipeline: LoadedPipeline, facts: StandingFacts, scope: Scope) -> Work:
    """An attempt that has nothing of its own to call, and so no input of its own."""
    return Work(
        facts.definition,
        facts.handling,
        step=None,
        config={},
        data=NO_INPUT,
        stored=None,
        input=StepInput({}, is_state=False),
        scope=scope,
        merge=pipeline.graph.folding_rules,
        is_lenient=pipeline.definition.is_lenient,
        failures=0,
    )


def placed(work: Work, context: StepContext, desk: OwnersDesk | None = None) -> Work:
    """The attempt that knows where it runs, and so does its object; an object that takes nothing is refused.

    Args:
        desk: what writes for its code where that runs in another process.
    """
    work = replace(work, context=context, desk=desk)
    if work.step is None:
        return work
    try:
        work.step.services, work.step.context = context.services, context
    except BaseException as left:  # noqa: BLE001 - user code: a frozen class, a property
        error = failure_of(work.definition.id, left)
        what = f"it takes no services or context: {type(error).__name__}: {clean_text(error)}"
        refused = StepError(work.definition.id, what)
        refused.__cause__ = error
        return replace(work, refused=work.refused or refused)
    return work


async def make_attempt(work: Work, pipeline: LoadedPipeline, executor: StepExecutor, *, draw: float) -> Outcome:
    """Run the step's code, then what its error handling says, then the functions that its paths ask.

    Args:
        draw: uniform in [0, 1), for the delay of a retry.

    Raises:
        asyncio.CancelledError: the attempt was stopped; everything else is an outcome.
    """
    current_step.set(work.step)
    if work.context is not None:
        enter(work.context)
    outcome = await _run(work, executor, draw=draw)
    if outcome.result is None or outcome.question is not None or not pipeline.facts[work.definition.id].asks_functions:
        return outcome
    return await call_functions(outcome, work.definition.id, work.scope, pipeline, executor)


async def run_alone(work: Work, executor: StepExecutor, *, draw: float = 0.0) -> Outcome:
    """Run the step's code and what its error handling says, and nothing that its paths ask: nothing follows from it.

    Args:
        draw: uniform in [0, 1), for the delay of a retry.

    Raises:
        asyncio.CancelledError: the attempt was stopped; everything else is an outcome.
    """
    current_step.set(work.step)
    if work.context is not None:
        enter(work.context)
    return await _run(work, executor, draw=draw)


async def call_functions(
    outcome: Outcome, step_id: str, scope: Scope, pipeline: LoadedPipeline, executor: StepExecutor
) -> Outcome:
    """The outcome with the answers of the functions on the step's paths; a function that fails, fails the step.

    Args:
        scope: what is known before the step.
    """
    assert outcome.result is not None
    if not pipeline.facts[step_id].asks_functions:
        return outcome
    after = scope.after(step_id, outcome.result, succeeded=outcome.succeeded)
    verdicts: dict[FunctionCall, Verdict] = {}
    while (call := next_function(pipeline.graph, step_id, after, verdicts)) is not None:
        try:
            with contained(step_id):
                answer = await executor.execute(
                    step_id,
                    pipeline.functions[call],
                    orjson.loads(orjson.dumps(after.state.to_dict())),  # a copy of its own, as steps get
                    dict(call.parameters),
                    timeout_seconds=call.timeout_seconds,
                )
                verdicts[call] = Verdict(bool(answer), f"{call} said {clean_text(answer)[:100]}")
        except Exception as error:  # noqa: BLE001 - user code: whatever it raises is the step's failure
            failed = ConditionError(step_id, str(call), f"failed: {type(error).__name__}: {clean_text(error)}")
            failed.__cause__ = error
            return Outcome(error=failed)
    return replace(outcome, verdicts=verdicts)


async def _run(work: Work, executor: StepExecutor, *, draw: float) -> Outcome:
    may_retry = False
    try:
        if work.refused is not None:
            raise work.refused
        code = _code_of(work)
        may_retry = True
        value = await _call(work, code, executor)
        may_retry = False  # it has had its effect
        if work.context is not None and work.context.own_result:
            raise StepError(work.definition.id, OWN_RESULT)
        stored, value = _encoded(value, work), None  # a large result is not in memory twice
        return _decoded(stored, work)
    except BaseException as left:  # noqa: BLE001 - user code: whatever it raises is the step's failure
        error = failure_of(work.definition.id, left)
    may_retry = may_retry or isinstance(error, StepOutputError)  # the author's own contract, with a retry declared
    if not _is_lost(error, work):
        try:
            return await failed(error, work, executor, draw=draw if may_retry else None)
        except StepLost as lost:  # its fallback was
            error = lost
    return await _lost(cast("StepLost", error), work, executor)


def _is_lost(error: Exception, work: Work) -> bool:
    """Whether an attempt is lost with this. An item of a map only fails: it is not kept elsewhere."""
    return isinstance(error, StepLost) and work.remote is not None and work.scope.item is None


async def _lost(error: StepLost, work: Work, executor: StepExecutor) -> Outcome:
    """What follows when what ran an attempt elsewhere is gone: another attempt, or failure where that does not help."""
    times = await _losses_in_a_row(work)
    if times < LOSS_LIMIT:
        return Outcome(error=error, is_lost=True)
    error = StepLost(work.definition.id, error.reason, times=times)
    try:
        return await failed(error, work, executor, draw=None)
    except StepLost:  # its fallback was, too
        return Outcome(error=error)


async def _losses_in_a_row(work: Work) -> int:
    """How many attempts were lost until nothing that the step calls completed any more, this one included."""
    times = work.losses + 1
    if times < LOSS_LIMIT:
        return times
    assert work.context is not None
    assert work.desk is not None
    this, first = work.context.attempt, work.context.attempt - work.losses
    progressed = attempts_that_progressed(await work.desk.read_within(work.context.path))
    return this - max((each for each in progressed if each >= first), default=first) + 1


def _code_of(work: Work) -> tuple[Any, ...]:
    """What is called, and with what; nothing where the step has no code.

    Raises:
        StepInputError: its input does not fit its function.
    """
    if work.step is None:
        return ()
    if work.binding is None:
        return entry_of(work.step), orjson.loads(work.data)
    assert work.context is not None
    args, kwargs = work.binding.arguments(work.data, work.context, item=_item_of(work))
    return (partial(entry_of(work.step), *args, **kwargs),)


def _item_of(work: Work) -> JsonText | None:
    """The item that a function is called with; None: it has inputs, or is no item of a map."""
    if work.scope.item is None or work.definition.inputs:
        return None
    return encode(work.scope.item.value, "item", limit_bytes=_ANY_SIZE)


async def _call_remote(work: Work, executor: StepExecutor, failure: Exception | None = None) -> Any:
    """What the code of a step gives that runs in another process; with a failure, its fallback for that."""
    context, desk, remote = work.context, work.desk, work.remote
    assert context is not None
    assert desk is not None
    assert remote is not None
    facts = desk.facts()
    call = RemoteCall(
        code=remote.code,
        fingerprint=remote.fingerprint(),
        execution_id=context.execution_id,
        step_id=context.step_id,
        step_execution_id=context.step_execution_id,
        iteration=context.iteration,
        attempt=context.attempt,
        rerun_of=context.rerun_of,
        within=context.within,
        item_key=context.item_key,
        config=encode(work.config, "config", limit_bytes=_ANY_SIZE),
        data=work.data,
        item=_item_of(work),
        failure=None if failure is None else RemoteFailure.of(failure),
        worker=facts.worker,
        capture=facts.capture,
        again_upto=facts.again_upto,
        drops_output=facts.drops_output,
        services=context.services.made_by,
        traceparent=context.traceparent,
        needs=remote.needs,
    )
    try:
        result = await executor.execute_remote(
            call,
            desk,
            timeout_seconds=work.definition.timeout_seconds,
            rejoins=work.rejoins and failure is None,  # a fallback is a call of its own, and begins
        )
    except asyncio.CancelledError as cancelled:
        if isinstance(left := cancelled.__cause__, StepKilled | StepAbandoned):
            context.keep_line(LogLevel.WARNING, str(left), None)
        raise
    return orjson.loads(result)


async def _call(work: Work, code: tuple[Any, ...], executor: StepExecutor) -> Any:
    if work.supplied is not None:
        return orjson.loads(work.supplied)
    match work.definition.type:
        case "condition":
            return orjson.loads(work.data) if work.definition.inputs else {}
        case "human_input":
            return {"status": HUMAN_INPUT_REQUIRED, **_shown_item(work)}
        case "task" if work.remote is not None:
            return await _call_remote(work, executor)
        case "task":
            return await executor.execute(work.definition.id, *code, timeout_seconds=work.definition.timeout_seconds)


def _shown_item(work: Work) -> dict[str, Any]:
    """What a person is shown who is asked about an item: its inputs, or where it has none, itself."""
    if work.scope.item is None:
        return {}
    return {"item": orjson.loads(work.data) if work.definition.inputs else work.scope.item.value}


async def failed(error: Exception, work: Work, executor: StepExecutor, *, draw: float | None) -> Outcome:
    """What follows a failure of the step's code; ``draw`` None: no retry.

    Raises:
        StepLost: what ran its fallback elsewhere is gone.
    """
    handling, refused = work.handling, work.refused is not None
    if draw is not None and handling.retry is not None and should_retry(handling.retry, work.failures + 1, error):
        return Outcome(error=error, retry_seconds=retry_delay(handling.retry, work.failures + 1, draw=draw))
    if not refused and handling.enable_fallback:
        try:
            with contained(work.definition.id):
                if (fallback := _fallback_of(work, executor, error)) is not None:
                    return replace(_decoded(_encoded(await fallback, work), work), error=error)
        except Exception as second:
            if _is_lost(second, work):
                raise
            second.__context__ = error
            error = second
    if handling.continue_on_error and not (isinstance(error, LoopLimitExceeded) and error.is_final):
        result = step_error_result(error)
        return Outcome(result, encode(result, "error of a step"), error, succeeded=False)
    return Outcome(error=error)


def _fallback_of(work: Work, executor: StepExecutor, error: Exception) -> Awaitable[Any] | None:
    """What gives the result that the step has for its own failure; None: it has none."""
    if work.remote is not None:
        return _call_remote(work, executor, error) if work.remote.code.has_fallback else None
    fallback = getattr(work.step, "fallback", None)
    if fallback is None:
        return None
    seconds, data = work.definition.timeout_seconds, orjson.loads(work.data)
    return executor.execute(work.definition.id, fallback, data, error, timeout_seconds=seconds)


def _encoded(value: Any, work: Work) -> JsonText:
    """The result as it is stored; of an item the value as it is, which only the map's own brings into the state.

    Raises:
        PayloadError: it cannot be kept.
    """
    where = f"result of step {work.definition.id!r}"
    return encode_result(value, where) if work.scope.item is None else encode(value, where)


def _decoded(stored: JsonText, work: Work) -> Outcome:
    """The result as later steps see it: what JSON makes of it.

    Raises:
        PayloadError, StepOutputError: it cannot be kept.
    """
    value: Any = orjson.loads(stored)
    fields = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    is_item = work.scope.item is not None
    if is_question(fields):
        if not is_item:
            check_contributions(work.definition, answered(fields, None), work.merge)
        return Outcome(fields, stored, question=question(work.config, fields))
    if not is_item:
        check_contributions(work.definition, fields, work.merge)
    mismatches = check_result(work.definition, value, is_lenient=work.is_lenient)
    return Outcome({"result": value} if is_item else fields, stored, mismatches=tuple(mismatches))


def entry_of(step: Step) -> Any:
    """The method to call: ``execute`` where the class has its own, else ``run``."""
    return step.run if type(step).execute is Step.execute else step.execute


NO_INPUT = encode({}, "no input")
_ANY_SIZE = 2**62
