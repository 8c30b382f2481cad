"""The command line, ``ia-modules``: one module a command in ``commands``, what they print in ``output``.

An error that is raised on purpose becomes a message on stderr and exit status 1. A command that is not understood and a
pipeline that cannot start end with 2.
"""

import gc
from importlib import import_module
from types import ModuleType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from ia_modules.version import __version__

__all__ = ["app"]

_COMMANDS = {
    "run": "Run a pipeline and watch it.",
    "serve": "Serve the API until Ctrl-C: executions, their steps, and what happens, live.",
    "worker": "Run queued executions until Ctrl-C, SIGTERM or SIGHUP; what has not ended by then is handed to other "
    "workers.",
    "executions": "Executions on record: look at them, watch, compare, cancel, resume, rerun, export, import, delete.",
    "failures": "Failures in groups: what failed alike, how often and where; mute, mark as mended.",
    "interactions": "Questions to people: list and show them, answer them, assign them to others.",
    "pipelines": "Registered pipelines, and pipeline files: list, import, check, draw, archive, delete.",
    "db": "The schema of a database.",
}


class _ImportedWhenCalled(TyperGroup):
    """A group that knows the name of each command and the first sentence of its help, and imports the one it calls."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, words = super().resolve_command(ctx, args)
        if name is not None:
            command = get_command(_imported(f"ia_modules.cli.commands.{name}").app)
        return name, command, words


def _imported(name: str) -> ModuleType:
    """Imports a module without a look for garbage, which takes a tenth of a command's start: what is made stays."""
    if not gc.isenabled() or gc.get_freeze_count():  # another program has set up its collector
        return import_module(name)
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.unfreeze()  # all are of the oldest generation now, without having been looked at
        gc.enable()


app = typer.Typer(
    name="ia-modules",
    cls=_ImportedWhenCalled,
    help="Run pipelines with every execution and step on record as it happens; look at executions, and serve them.",
    epilog="Example: ia-modules run pipelines/nightly.json",
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name, _sentence in _COMMANDS.items():
    app.command(_name, help=_sentence)(lambda: None)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ia-modules {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """The options before the command."""
