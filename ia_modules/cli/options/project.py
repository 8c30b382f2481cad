"""``--project``: the folder whose modules steps may import besides those beside their pipeline and installed ones."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

Project = Annotated[
    Path | None,
    typer.Option(
        "--project",
        metavar="DIR",
        exists=True,
        file_okay=False,
        resolve_path=True,
        show_default="the current folder",
        help="Where steps find modules that are neither beside their pipeline nor installed.",
    ),
]


def use_project(folder: Path | None) -> None:
    """Append a folder, or the current one, to ``sys.path``: after installed packages, so that it hides none of them."""
    with suppress(FileNotFoundError):  # the current folder was deleted
        project = str(folder or Path.cwd())
        if project not in sys.path:
            sys.path.append(project)
