from typing import Any

import pytest

from ia_modules.cli.options.capture import capture_of
from ia_modules.models import LogLevel
from ia_modules.pipeline.capture import LOGS_VARIABLE, PRINTS_VARIABLE, CaptureRules
from tests.unit.cli.conftest import Command, command_named


def rules_of(words: list[str], *options: str) -> CaptureRules:
    """What a command takes, without running it."""
    command, words = command_named(*words)
    with command.make_context("test", [*words, *options]) as context:
        params: dict[str, Any] = context.params
        return capture_of(params["step_logs"], step_prints=params["step_prints"])


@pytest.mark.parametrize("words", [["worker"], ["serve"]], ids=" ".join)
def test_what_is_taken_comes_from_the_options_or_from_the_environment(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rules_of(words) == CaptureRules(logs=LogLevel.INFO, prints=True)
    assert rules_of(words, "--step-logs", "off", "--no-step-prints") == CaptureRules(logs=None, prints=False)
    monkeypatch.setenv(LOGS_VARIABLE, "Error")
    monkeypatch.setenv(PRINTS_VARIABLE, "off")
    assert rules_of(words) == CaptureRules(logs=LogLevel.ERROR, prints=False)
    assert rules_of(words, "--step-logs", "debug", "--step-prints") == CaptureRules(logs=LogLevel.DEBUG, prints=True)


def test_another_word_is_refused_with_those_that_have_a_meaning(command: Command) -> None:
    result = command("worker", "--step-logs", "loud")
    assert result.exit_code == 2
    for word in ("loud", "debug, info, warning, error, off"):
        assert word in result.stderr
