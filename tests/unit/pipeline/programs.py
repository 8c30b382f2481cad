"""Pipelines with code, for tests that really run them."""

from collections.abc import Callable, Mapping
from typing import Any

from ia_modules.pipeline.code import LoadedPipeline, StepModules, factory_of, load_pipeline
from ia_modules.pipeline.core import Step
from ia_modules.pipeline.journal import Journal
from ia_modules.pipeline.loader import load
from ia_modules.pipeline.runner import Runner, StartedExecution

Code = Callable[..., Any] | type[Step]


def pipeline_of(document: Mapping[str, Any], code: Mapping[str, Code]) -> LoadedPipeline:
    """A document with the code of its steps, by step id."""
    definition = load(document, strict=False).definition
    return load_pipeline(definition, StepModules(), given={step_id: factory_of(each) for step_id, each in code.items()})


async def started(
    journal: Journal, document: Mapping[str, Any], given: Mapping[str, Any] | None = None, /, **code: Code
) -> StartedExecution:
    """An execution on record, to be run with ``to_end``."""
    return await Runner(journal).start(pipeline_of(document, code), given)


async def nothing(data: dict[str, Any]) -> dict[str, Any]:
    """A step that does nothing."""
    return {}
