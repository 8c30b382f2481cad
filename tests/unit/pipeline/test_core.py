"""What the author of a step finds there, inside a run and without one."""

from typing import Any

import pytest

from ia_modules.errors import InvalidStatus
from ia_modules.models import ExecutionId, LogLevel, StepExecutionId
from ia_modules.pipeline.core import PipelineStep, Step, StepContext


def context(**callbacks: Any) -> StepContext:
    return StepContext(
        execution_id=ExecutionId("e"),
        step_id="s",
        step_execution_id=StepExecutionId("a"),
        iteration=2,
        attempt=3,
        **callbacks,
    )


def test_a_step_can_be_made_and_run_without_a_run() -> None:
    class Say(Step):
        def run(self, data: dict[str, Any]) -> dict[str, Any]:
            self.context.log("nobody keeps this")
            self.context.progress(0.5)
            return {"word": data["word"] + self.config["mark"], "services": list(self.services)}

    step = Say("say", {"mark": "!"})
    assert step.run({"word": "hi"}) == {"word": "hi!", "services": []}
    assert (step.name, step.logger.name) == ("say", "ia_modules.step.say")


def test_a_step_without_run_says_what_to_define() -> None:
    with pytest.raises(NotImplementedError, match=r"Nothing has no run\(\); define `async def run"):
        type("Nothing", (PipelineStep,), {})("n").run({})


def test_the_key_of_an_effect_is_the_same_for_every_attempt() -> None:
    assert context().idempotency_key == "e/s/2"


def test_where_a_step_runs_is_not_its_to_change() -> None:
    with pytest.raises(AttributeError):
        context().attempt = 4  # pyright: ignore[reportAttributeAccessIssue]


def test_a_line_has_its_level_and_its_values() -> None:
    lines: list[tuple[Any, ...]] = []
    there = context(keep_line=lambda *line: lines.append(line))
    there.log("plain")
    there.log("with values", level="warning", rows=3)
    assert lines == [(LogLevel.INFO, "plain", None), (LogLevel.WARNING, "with values", {"rows": 3})]
    with pytest.raises(InvalidStatus, match="level 'loud'"):
        there.log("no such level", level="loud")


@pytest.mark.parametrize(("fraction", "kept"), [(-1, 0.0), (0, 0), (0.5, 0.5), (7, 1.0)])
def test_progress_stays_between_nothing_and_all(fraction: float, kept: float) -> None:
    progress: list[tuple[Any, ...]] = []
    context(keep_progress=lambda *news: progress.append(news)).progress(fraction, "half way")
    assert progress == [(kept, "half way")]


def test_the_context_of_a_step_without_a_run_has_its_config_and_shows_neither_that_nor_services() -> None:
    step = Step("say", {"token": "hidden"})
    assert step.context.config is step.config
    assert step.context.services is step.services
    assert repr(step.context) == "<StepContext  say#1 attempt 1>"
    assert step.context in {step.context}, "it may be a key"
