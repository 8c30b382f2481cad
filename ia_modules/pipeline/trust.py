"""Whose code may run for a definition that comes from the database or the API, and that code.

Who may store a definition may run code, so its modules come from the folder it was registered from, or are allowed by
name: in ``IA_MODULES_STEP_MODULES``, or by an installed package that offers steps.
"""

import os
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, cast

from ia_modules.models import PipelineVersionRecord
from ia_modules.pipeline.loader import load
from ia_modules.pipeline.loading import LoadedPipeline, StepModules, load_pipeline

MODULES_VARIABLE = "IA_MODULES_STEP_MODULES"
"""Environment variable: patterns of module names, such as ``my_company.steps.*``, with commas between them."""

ENTRY_POINT_GROUP = "ia_modules.steps"
"""Packages that offer steps declare their modules as entry points of this group."""


def allowed_modules(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Patterns of the module names that a stored definition may use beside its own folder; none by default."""
    said = [pattern.strip() for pattern in environ.get(MODULES_VARIABLE, "").split(",")]
    offered = [point.value.partition(":")[0].strip() for point in entry_points(group=ENTRY_POINT_GROUP)]
    patterns = [pattern for pattern in said if pattern]
    return tuple(dict.fromkeys([*patterns, *(each for name in offered for each in (name, f"{name}.*"))]))


def load_version(stored: PipelineVersionRecord, *, allowed: tuple[str, ...]) -> LoadedPipeline:
    """A stored definition with its code.

    Args:
        allowed: as from :func:`allowed_modules`.

    Raises:
        PipelineDefinitionError: its code cannot be found any more, or may not be used; with every problem.
    """
    definition = load(cast("dict[str, Any]", stored.definition), strict=False).definition
    folder = None if stored.source_folder is None else Path(stored.source_folder)
    return load_pipeline(definition, StepModules(folder, allowed=allowed), folder=folder)
