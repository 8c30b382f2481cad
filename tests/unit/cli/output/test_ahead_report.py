import pytest

from ia_modules.cli.output.ahead_report import effects_in_one_line, print_ahead, print_steps_of_many
from ia_modules.pipeline.ahead import Ahead, StepAhead
from ia_modules.pipeline.tokens import StepRunKey
from ia_modules.tracker.bulk import StepAheadOfMany

PAY = StepAhead(step_id="pay", step_name="Pay", effect="external", runs=1)
LOOP = StepAhead(step_id="loop", step_name="Loop", effect=None, runs=1_200)
LOOK = StepAhead(step_id="look", step_name="Look", effect="read", runs=0)


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_each_step_has_its_line_with_what_becomes_of_it_and_its_effect(capsys: pytest.CaptureFixture[str]) -> None:
    print_ahead(
        Ahead(
            kept=(StepRunKey("load", 1), StepRunKey("load", 2)),
            begins=(StepRunKey("pay", 1), StepRunKey("ask", 1)),
            by_hand=StepRunKey("sum", 3),
            asked_again=(StepRunKey("ask", 1),),
            steps=(PAY, LOOP, LOOK),
        )
    )
    assert printed(capsys) == [
        "STEP EFFECT",
        "kept load, load#2",
        "result given sum#3",
        "asked again ask an edit comes after it",
        "runs pay external",
        "runs, or may loop, 1,200 runs not said: may have effects",
        "runs, or may look read",
    ]


def test_of_many_that_are_kept_the_first_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    print_ahead(Ahead(kept=tuple(StepRunKey("loop", iteration) for iteration in range(1, 1_022))))
    assert printed(capsys)[1].endswith("loop#20 and 1,001 more")


def test_a_line_says_every_effect_and_control_codes_are_no_codes() -> None:
    odd = StepAhead(step_id="a\x1b[31m", step_name="A", effect="write", runs=1)
    assert effects_in_one_line([PAY, LOOK]) == "pay (external), look (read)"
    assert effects_in_one_line([]) == "nothing"
    assert "\x1b" not in effects_in_one_line([odd])


def test_of_many_executions_those_with_effects_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    steps = [
        StepAheadOfMany(step_id="pay", step_name="Pay", effect="external", executions=1_000),
        StepAheadOfMany(step_id="look", step_name="Look", effect="read", executions=1_000),
    ]
    print_steps_of_many(steps)
    assert printed(capsys) == [
        "Steps that run again, or may, and have effects, or may:",
        "STEP EFFECT EXECUTIONS",
        "pay external 1,000",
    ]
    print_steps_of_many(steps[1:])
    assert printed(capsys) == []
