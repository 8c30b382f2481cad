"""Where code runs: in which execution, and in which run of it.

A context variable has it, so it follows a task wherever that awaits and into the tasks and threads that the runner
makes; a thread of one's own takes it along with :func:`carry`.
"""

import contextvars
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple, ParamSpec, TypeVar

from ia_modules.models import ExecutionId, RunPath

P = ParamSpec("P")
R = TypeVar("R")


class Place(NamedTuple):
    """A run of an execution; what is recorded in it stands within its path, which is empty for the execution itself."""

    execution_id: ExecutionId
    within: RunPath


here: ContextVar[Place | None] = ContextVar("place", default=None)
"""The innermost run that this code is a part of; None: it is a part of none."""

_run_by_pipeline: set[ExecutionId] = set()


@contextmanager
def run_by_pipeline(execution_id: ExecutionId) -> Generator[None]:
    """A pipeline's own runner writes the steps of this execution meanwhile, here in this process."""
    _run_by_pipeline.add(execution_id)
    try:
        yield
    finally:
        _run_by_pipeline.discard(execution_id)


def is_run_by_pipeline(execution_id: ExecutionId) -> bool:
    """Whether the steps of the graph of this execution are not anybody else's to record."""
    return execution_id in _run_by_pipeline


def carry(function: Callable[P, R]) -> Callable[P, R]:
    """The function, in whatever thread it is called, in the place where ``carry`` was called."""
    context = contextvars.copy_context()

    def carried(*args: P.args, **kwargs: P.kwargs) -> R:
        return context.copy().run(function, *args, **kwargs)

    return carried
