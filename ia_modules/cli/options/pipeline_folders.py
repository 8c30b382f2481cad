"""``--pipelines``: the folders whose code stored pipelines may use."""

from pathlib import Path
from typing import Annotated

import typer

from ia_modules.cli.output.terminal import not_started
from ia_modules.pipeline.allowed_code import FOLDERS_VARIABLE, AllowedCode, allowed_code

PipelineFolders = Annotated[
    list[Path] | None,
    typer.Option(
        "--pipelines",
        metavar="FOLDER",
        envvar=FOLDERS_VARIABLE,
        show_default="the current folder",
        help="Code of registered pipelines is only used in and below these folders; may be repeated.",
    ),
]


def allowed_below(folders: list[Path] | None) -> AllowedCode:
    """What stored versions may use; without the option, what lies in and below the current folder."""
    try:
        return allowed_code(folders or [Path.cwd()])
    except FileNotFoundError:
        raise not_started("The current folder was deleted. Start this in another one.") from None
