"""``--step-logs`` and ``--no-step-prints``: what goes on record of the steps' own logging and printing."""

from typing import Annotated

import typer

from ia_modules.errors import InvalidArgument
from ia_modules.models import SEVERITIES
from ia_modules.pipeline.capture import LOGS_VARIABLE, OFF, PRINTS_VARIABLE, CaptureRules, level_in

StepLogs = Annotated[
    str,
    typer.Option(
        "--step-logs",
        metavar="LEVEL",
        envvar=LOGS_VARIABLE,
        help=f"Records of Python's logging that go on record with their step: of this level or more severe "
        f"({', '.join(SEVERITIES)}), or {OFF}.",
    ),
]
StepPrints = Annotated[
    bool,
    typer.Option(
        "--step-prints/--no-step-prints", envvar=PRINTS_VARIABLE, help="Whether what steps print goes on record too."
    ),
]


def capture_of(step_logs: str, *, step_prints: bool) -> CaptureRules:
    """What the options say; ends the command where they say nothing that has a meaning."""
    try:
        return CaptureRules(logs=level_in(step_logs, where="option --step-logs"), prints=step_prints)
    except InvalidArgument as wrong:
        raise typer.BadParameter(str(wrong)) from None
