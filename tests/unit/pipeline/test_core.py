"""What the author of a step finds there, inside a run and without one."""

from typing import Any

import pytest

from ia_modules.errors import InvalidArgument, InvalidStatus, PayloadError
from ia_modules.models import GAP_LOGGER, ExecutionId, LogLevel, StepExecutionId
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
    with pytest.raises(InvalidArgument, match=r"output: context\.emit"):
        there.log("not so", level="output")
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


def test_a_piece_of_output_has_its_channel() -> None:
    pieces: list[tuple[Any, ...]] = []
    there = context(keep_output=lambda *piece: pieces.append(piece))
    there.emit("text")
    there.emit({"tool": "search"}, "calls", flush=True)
    assert pieces == [("text", "answer", False), ({"tool": "search"}, "calls", True)]
    for channel, error in (("", PayloadError), ("x" * 201, PayloadError), (GAP_LOGGER, InvalidArgument)):
        with pytest.raises(error, match="channel"):
            there.emit("text", channel)
    assert len(pieces) == 2
    context().emit("nobody keeps this")


def test_the_last_result_that_is_said_counts() -> None:
    there = context()
    there.result(1)
    there.result(2)
    assert (there.own_result, context().own_result) == ([2], [])
