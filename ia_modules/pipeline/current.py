"""The step that runs here, for code that is handed nothing: functions, and what they call.

def score(pages: list[str]) -> float:
    current.context.progress(0.5)
    return current.services["model"].score(pages, limit=current.config["limit"])
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

from ia_modules import place
from ia_modules.pipeline.core import ServiceRegistry, StepContext, nowhere

P = ParamSpec("P")
R = TypeVar("R")

running: ContextVar[StepContext | None] = ContextVar("running_step", default=None)
"""The attempt whose code runs here; None: that of no step."""


class RunningStep:
    """What a class finds at ``self``, for the step that runs here: in its tasks, and in the thread of a plain ``def``.

    Where no step runs, as in a unit test, lines and progress are dropped, and there is neither config nor service; a
    function that logs runs there unchanged.
    """

    @property
    def context(self) -> StepContext:
        """Where this runs; ``context.execution_id`` is empty where no step does."""
        return running.get() or nowhere()

    @property
    def config(self) -> dict[str, Any]:
        return self.context.config

    @property
    def services(self) -> ServiceRegistry:
        return self.context.services

    def carry(self, function: Callable[P, R]) -> Callable[P, R]:
        """The function, in whatever thread it is called, in the step where ``carry`` was called."""
        return place.carry(function)


current = RunningStep()
