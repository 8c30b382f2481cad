"""The step that runs here, for code that is handed nothing: functions, and what they call.

def score(pages: list[str]) -> float:
    current.context.progress(0.5)
    return current.services["model"].score(pages, limit=current.config["limit"])
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from ia_modules import place
from ia_modules.pipeline.core import ServiceRegistry, StepContext, nowhere, running
from ia_modules.place import here

P = ParamSpec("P")
R = TypeVar("R")


def enter(context: StepContext) -> None:
    """From here on, in this task or thread and those made of it, the attempt's code runs."""
    running.set(context)
    here.set(context)
    if context.trace is not None:
        context.trace.enter(context.step_execution_id, context.step_id)


@contextmanager
def inside(context: StepContext) -> Generator[None]:
    """The same for as long as the block lasts."""
    place, step = here.set(context), running.set(context)
    leave = None if context.trace is None else context.trace.enter(context.step_execution_id, context.step_id)
    try:
        yield
    finally:
        if leave is not None:
            leave()
        running.reset(step)
        here.reset(place)


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
