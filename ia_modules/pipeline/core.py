"""What the author of a step imports.

class Summarize(Step):
    async def run(self, data):
        self.context.log("reading", pages=len(data["pages"]))
        return {"summary": await self.services["llm"].summarize(data["pages"])}
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ia_modules.models import ExecutionId, LogLevel, StepExecutionId
from ia_modules.pipeline.services import ServiceRegistry

__all__ = ["ExecutionContext", "PipelineStep", "ServiceRegistry", "Step", "StepContext"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionContext:
    """Facts about an execution, set by the caller that starts it.

    Attributes:
        execution_id: the caller's own id of it, any text of at most 200 characters: stored as its ``alias``, unique,
            and taken wherever an execution is named. With the same pipeline and input it stands for the execution that
            it began; with others it is refused. The row's own id stays a UUID.
        pipeline_id: the caller's own id of the pipeline; stored in the metadata.
        trigger: what started it, such as ``cli`` or ``schedule``.
        metadata: stored with the execution; JSON.
        user_id: the user who started it; stored in the metadata.
    """

    execution_id: str | None = None
    pipeline_id: str | None = None
    trigger: str = "program"
    user_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def stored_metadata(self) -> dict[str, Any]:
        """The metadata as it is stored: with ``pipeline_id`` and ``user_id``, where they are set."""
        facts = {"pipeline_id": self.pipeline_id, "user_id": self.user_id}
        return {**self.metadata, **{name: value for name, value in facts.items() if value}}


def _drop_line(level: LogLevel, message: str, data: dict[str, Any] | None) -> None:
    """Outside of a run, lines are dropped."""


def _drop_progress(fraction: float, message: str | None) -> None:
    """Outside of a run, progress is dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepContext:
    """The attempt in which a step runs. All of it may be used from any thread.

    Attributes:
        rerun_of: the execution that this one repeats, of which its effects may be there already; None: it repeats none.
        config: the step's ``config`` with its placeholders filled in; a copy of this attempt's own.
        services: those of the runner; outside of a run, none.
    """

    execution_id: ExecutionId
    step_id: str
    step_execution_id: StepExecutionId
    iteration: int = 1
    attempt: int = 1
    rerun_of: ExecutionId | None = None
    config: dict[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)
    services: ServiceRegistry = field(default_factory=ServiceRegistry, repr=False, compare=False)
    keep_line: Callable[[LogLevel, str, dict[str, Any] | None], None] = _drop_line
    keep_progress: Callable[[float, str | None], None] = _drop_progress

    @property
    def idempotency_key(self) -> str:
        """``<execution>/<step>/<iteration>``: the same for every attempt, so that an effect outside is made once."""
        return f"{self.execution_id}/{self.step_id}/{self.iteration}"

    def log(self, message: str, level: LogLevel | str = LogLevel.INFO, **data: Any) -> None:
        """Logs a line, with values, for this attempt. It is stored at the latest when the step ends."""
        self.keep_line(level if isinstance(level, LogLevel) else LogLevel(level), message, data or None)

    def progress(self, fraction: float, message: str | None = None) -> None:
        """Sets the progress of the step, from 0 to 1. The latest is stored, not every one."""
        self.keep_progress(min(1.0, max(0.0, fraction)), message)


def nowhere() -> StepContext:
    """The context of code that runs in no step: what it logs is dropped, and it has neither config nor services."""
    return StepContext(execution_id=ExecutionId(""), step_id="", step_execution_id=StepExecutionId(""))


class Step:
    """A step. Override :meth:`run`; a plain ``def`` runs in a thread of its own.

    A step may run more than once: after a failure that is retried, or when its process died.
    ``context.idempotency_key`` is the same then.

    Attributes:
        name: the step's id in the pipeline.
        config: the step's ``config`` with its placeholders filled in.
        services: those of the runner; outside of a run, none.
        context: where this runs; outside of a run, nowhere.
        logger: a standard logger of this name. As with every logger, what it logs in a run is on record with the
            attempt, from INFO on (``ia_modules.pipeline.capture``); ``context.log`` stores a line with values.
    """

    def __init__(self, name: str, config: dict[str, Any] | None = None) -> None:
        self.name = name
        self.config: dict[str, Any] = config or {}

    @cached_property
    def services(self) -> ServiceRegistry:
        return ServiceRegistry()

    @cached_property
    def context(self) -> StepContext:
        return replace(nowhere(), step_id=self.name, config=self.config, services=self.services)

    @cached_property
    def logger(self) -> logging.Logger:
        return logging.getLogger(f"ia_modules.step.{self.name}")

    def run(self, data: dict[str, Any]) -> Any:
        """Do the work: as ``async def``, or as a plain ``def``, which runs in a thread.

        Args:
            data: the resolved inputs, or the state; a copy of this attempt's own.

        Returns:
            A dict, a model or a dataclass; else it is stored as ``{"result": value}``. What is no JSON becomes what
            pydantic's JSON mode makes of it (:mod:`ia_modules.payload`).
        """
        raise NotImplementedError(f"{type(self).__name__} has no run(); define `async def run(self, data)`")

    def execute(self, data: dict[str, Any]) -> Any:
        """Older steps override this instead of :meth:`run`, in the same two ways."""
        return self.run(data)


PipelineStep = Step
