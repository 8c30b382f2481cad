"""The command line, ``ia-modules``: one module a command in ``commands``, what they print in ``output``.

An error that is raised on purpose becomes a message on stderr and exit status 1. A command that is not understood and a
pipeline that cannot start end with 2.
"""

from typing import Annotated

import typer

from ia_modules.cli.commands import db, executions, pipelines, run, serve, worker
from ia_modules.version import __version__

__all__ = ["app"]

app = typer.Typer(
    name="ia-modules",
    help="Run pipelines with every execution and step on record as it happens; look at executions, and serve them.",
    epilog="Example: ia-modules run pipelines/nightly.json",
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run", epilog=run.EXAMPLE)(run.run)
app.add_typer(executions.app)
app.add_typer(pipelines.app)
app.add_typer(db.app)
app.command("serve", epilog=serve.EXAMPLE)(serve.serve)
app.command("worker", epilog=worker.EXAMPLE)(worker.worker)


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
