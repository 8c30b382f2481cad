"""Which code a stored definition may use: modules by their names, and modules in folders below a few roots.

Whoever may store a definition may run code, so neither a module's name nor a folder in the database is taken as it is.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from ia_modules.errors import PipelineDefinitionError, Problem
from ia_modules.models import PipelineVersionRecord

MODULES_VARIABLE = "IA_MODULES_STEP_MODULES"
"""Environment variable: patterns of module names, such as ``my_company.steps.*``, with commas between them."""

FOLDERS_VARIABLE = "IA_MODULES_PIPELINES"
"""Environment variable: folders with pipelines, separated as in ``PATH``."""

ENTRY_POINT_GROUP = "ia_modules.steps"
"""Packages that offer steps declare their modules as entry points of this group."""


READY_STEPS = "ia_modules.steps"
"""Our own steps, which use nothing but their data: always allowed."""


@dataclass(frozen=True, slots=True)
class AllowedCode:
    """What a stored definition may use.

    Attributes:
        modules: patterns of module names that may be imported from anywhere.
        roots: the folder of a version is used when it is one of these or lies below one, links followed; None: wherever
            it is, for a program whose database nobody else writes.
    """

    modules: tuple[str, ...] = ()
    roots: tuple[Path, ...] | None = None

    def folder_of(self, stored: PipelineVersionRecord) -> Path | None:
        """The folder in which a version's modules lie; None: it has none.

        Raises:
            PipelineDefinitionError: the folder lies below none of the roots.
        """
        if stored.source_folder is None:
            return None
        folder = Path(stored.source_folder)
        if self.roots is None:
            return folder
        real = _real(folder)
        if real is not None and any(real.is_relative_to(root) for root in self.roots):
            return real
        found = f"the folder {stored.source_folder}, whose code may not be used here"
        roots = ", ".join(map(str, self.roots)) or "none"
        hint = f"Allow it where this process is started: --pipelines FOLDER, or {FOLDERS_VARIABLE}."
        raise PipelineDefinitionError([Problem("its folder", found, f"one in or below {roots}", hint)])


def allowed_code(folders: Iterable[Path] | None = None, environ: Mapping[str, str] = os.environ) -> AllowedCode:
    """What stored definitions may use in this process.

    Args:
        folders: the roots; None: those that ``IA_MODULES_PIPELINES`` names, or every folder where it names none.
    """
    if folders is None and environ.get(FOLDERS_VARIABLE):
        folders = [Path(folder) for folder in environ[FOLDERS_VARIABLE].split(os.pathsep) if folder]
    roots = None if folders is None else tuple(real for each in folders if (real := _real(each)) is not None)
    return AllowedCode(allowed_modules(environ), roots)


def allowed_modules(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Patterns of the module names that a stored definition may use beside its own folder; our own steps always."""
    entries = [pattern.strip() for pattern in environ.get(MODULES_VARIABLE, "").split(",")]
    offered = [point.value.partition(":")[0].strip() for point in entry_points(group=ENTRY_POINT_GROUP)]
    patterns = [pattern for pattern in entries if pattern]
    return tuple(dict.fromkeys([*patterns, *(each for name in offered for each in (name, f"{name}.*")), READY_STEPS]))


def _real(folder: Path) -> Path | None:
    """Where a folder really is; None: it cannot be, as with a loop of links or NUL in its name."""
    try:
        return folder.resolve()
    except (OSError, ValueError, RuntimeError):
        return None
