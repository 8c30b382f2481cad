"""``--yes`` and ``--dry-run``: what cannot be undone, or concerns many, is confirmed first."""

import sys
from typing import Annotated

import typer

from ia_modules.cli.output.terminal import not_started

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; needed without a terminal.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count, and say what would be left as it is.")]


def confirm(question: str, *, yes: bool) -> None:
    """Ask on a terminal, unless ``yes``.

    Raises:
        Exit: the answer was no, or there is no terminal to ask on; nothing has been changed.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise not_started(f"{question} There is no terminal to ask on: add --yes, or look first with --dry-run.")
    if not typer.confirm(question, err=True):
        raise not_started("Nothing was changed.")
