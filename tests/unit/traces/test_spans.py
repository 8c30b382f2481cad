from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from ia_modules.models import ExecutionId, ExecutionStatus, RunPath, StepExecutionId, StepStatus
from ia_modules.traces.ids import span_id_again, span_id_of
from ia_modules.traces.spans import PAYLOAD_CHARACTERS, TracedAttempt, TracedExecution, attempt_span, execution_span
from ia_modules.usage import ModelUsage

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
EXECUTION = ExecutionId("0199c3f2-0000-7000-8000-000000000010")
ATTEMPT = StepExecutionId("0199c3f2-0000-7000-8000-000000000020")


def attempt(**changed: Any) -> TracedAttempt:
    facts: dict[str, Any] = {
        "step_execution_id": ATTEMPT,
        "execution_id": EXECUTION,
        "within": RunPath(""),
        "step_id": "ask",
        "step_name": "customer 17",
        "step_type": "task",
        "iteration": 1,
        "attempt": 1,
        "status": StepStatus.COMPLETED,
        "worker": "host:1",
        "effect": None,
        "input_refs": None,
        "error_type": None,
        "error_message": None,
        "usage": None,
        "first_token_ms": None,
        "sequence": 3,
        "created_at": NOW,
        "started_at": NOW + timedelta(seconds=1),
        "completed_at": NOW + timedelta(seconds=2),
        "traceback": None,
        "input_data": None,
        "output_data": None,
    }
    return TracedAttempt(**(facts | changed))


def execution(**changed: Any) -> TracedExecution:
    facts: dict[str, Any] = {
        "execution_id": EXECUTION,
        "pipeline_name": "Nightly",
        "pipeline_version": 2,
        "status": ExecutionStatus.COMPLETED,
        "trigger": "api",
        "sequence": 9,
        "traceparent": None,
        "reopened": None,
        "again_at": None,
        "rerun_of": None,
        "rerun_traceparent": None,
        "error_type": None,
        "error_message": None,
        "input_tokens": None,
        "output_tokens": None,
        "cost_micros": None,
        "created_at": NOW,
        "started_at": NOW + timedelta(seconds=1),
        "completed_at": NOW + timedelta(seconds=9),
        "input_data": None,
        "output_data": None,
    }
    return TracedExecution(**(facts | changed))


def test_an_attempt_says_what_it_was_and_nothing_that_may_be_a_payload() -> None:
    failed = attempt(status=StepStatus.FAILED, error_type="ValueError", error_message="no customer 17", traceback="17")
    span = attempt_span(failed, EXECUTION, payloads=False, page_url=None)
    assert (span.span_id, span.parent, span.name) == (span_id_of(ATTEMPT), EXECUTION, "ask")
    assert (span.is_error, span.error, span.events) == (True, None, ())
    assert span.attributes["error.type"] == "ValueError"
    assert "17" not in str(span.attributes)


def test_with_payloads_it_says_those_too_cut_where_they_are_long() -> None:
    failed = attempt(
        status=StepStatus.FAILED,
        error_type="ValueError",
        error_message="no customer 17",
        input_data='"' + "x" * 9_000 + '"',
    )
    span = attempt_span(failed, EXECUTION, payloads=True, page_url="https://runs.example.com")
    assert span.error == "no customer 17"
    assert span.events == (("exception", {"exception.type": "ValueError", "exception.message": "no customer 17"}),)
    assert len(str(span.attributes["ia_modules.input"])) == PAYLOAD_CHARACTERS
    assert span.attributes["ia_modules.step.name"] == "customer 17"
    assert span.attributes["ia_modules.url"] == f"https://runs.example.com/executions/{EXECUTION}"


def test_of_a_call_the_key_is_left_out() -> None:
    assert attempt(step_type="inner", step_id="ask[customer 17]").name == "ask"
    assert attempt(step_type="inner", step_id="[17]").name == "[17]"
    assert attempt(step_id="ask[3]").name == "ask[3]"


def test_what_never_began_was_there_from_its_making_to_its_end() -> None:
    span = attempt_span(attempt(status=StepStatus.CANCELLED, started_at=None), EXECUTION, payloads=False, page_url=None)
    assert (span.started_at, span.ended_at, span.is_error) == (NOW, NOW + timedelta(seconds=2), False)


def test_a_clock_that_was_set_back_makes_no_span_that_ends_before_it_begins() -> None:
    span = attempt_span(attempt(completed_at=NOW), EXECUTION, payloads=False, page_url=None)
    assert span.started_at == span.ended_at == NOW


def test_what_an_execution_did_after_it_had_failed_stands_below_it() -> None:
    again_at = NOW + timedelta(seconds=5)
    span = execution_span(execution(reopened=6, again_at=again_at), again=True, payloads=False, page_url=None)
    assert (span.span_id, span.parent, span.name) == (span_id_again(EXECUTION, 6), EXECUTION, "Nightly, again")
    assert (span.started_at, span.ended_at) == (again_at, NOW + timedelta(seconds=9))
    first = execution_span(execution(), again=False, payloads=False, page_url=None)
    assert (first.span_id, first.parent, first.started_at) == (span_id_of(EXECUTION), None, NOW + timedelta(seconds=1))


def used(model: str = "large", **changed: Any) -> dict[str, Any]:
    """As an attempt has on record what the calls of one model used."""
    usage = ModelUsage(
        model=model,
        provider="somebody",
        source="reported",
        calls=2,
        input_tokens=100,
        output_tokens=20,
        cached_tokens=7,
        reasoning_tokens=5,
        cost_micros=300,
    )
    return replace(usage, **changed).to_dict("USD")


def test_what_calls_of_a_model_used_has_the_names_of_opentelemetry() -> None:
    span = attempt_span(attempt(usage=[used()], first_token_ms=250), EXECUTION, payloads=False, page_url=None)
    about = {name: value for name, value in span.attributes.items() if name.startswith(("gen_ai", "ia_modules.usage"))}
    assert about == {
        "gen_ai.request.model": "large",
        "gen_ai.provider.name": "somebody",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 7,
        "gen_ai.usage.reasoning.output_tokens": 5,
        "gen_ai.response.time_to_first_chunk": 0.25,
        "ia_modules.usage.calls": 2,
        "ia_modules.usage.cost_micros": 300,
        "ia_modules.usage.currency": "USD",
    }
    assert span.events == ()


def test_of_several_models_the_sums_are_said_and_each_is_an_event() -> None:
    both = [used(), used("small", cost_micros=None, source="unknown")]
    span = attempt_span(attempt(usage=both), EXECUTION, payloads=False, page_url=None)
    assert span.attributes["gen_ai.usage.input_tokens"] == 200
    assert span.attributes["gen_ai.provider.name"] == "somebody"
    left_out = {"gen_ai.request.model", "ia_modules.usage.cost_micros"}
    assert not left_out & span.attributes.keys()
    assert [(name, about["gen_ai.request.model"], about.get("cost.micros")) for name, about in span.events] == [
        ("ia_modules.usage", "large", 300),
        ("ia_modules.usage", "small", None),
    ]
