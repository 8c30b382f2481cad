"""Where code runs: in which execution, and in which run of it.

A context variable has it, so it follows a task wherever that awaits and into the tasks and threads that the runner
makes; a thread of one's own takes it along with :func:`carry`.
"""

import asyncio
import contextvars
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple, ParamSpec, Protocol, TypeVar

from ia_modules.models import ExecutionId, RunPath

P = ParamSpec("P")
R = TypeVar("R")


class Place(Protocol):
    """A run of an execution; what is recorded in it stands within its path, which is empty for the execution itself."""

    @property
    def execution_id(self) -> ExecutionId: ...

    @property
    def path(self) -> RunPath: ...


class RecordedPlace(NamedTuple):
    """A place by its facts alone."""

    execution_id: ExecutionId
    path: RunPath


here: ContextVar[Place | None] = ContextVar("place", default=None)
"""The innermost run that this code is a part of; None: it is a part of none."""

_run_by_pipeline: set[ExecutionId] = set()
_recorders: dict[ExecutionId, "Recorder"] = {}


class Recorder:
    """What writes the records of an execution in this process.

    Attributes:
        loop: on which it works.
        calls: what writes the calls of tracked functions there; None until there is one.
    """

    __slots__ = ("calls", "journal", "loop")

    def __init__(self, journal: object, loop: asyncio.AbstractEventLoop) -> None:
        self.journal, self.loop = journal, loop
        self.calls: object | None = None


def recorder_of(execution_id: ExecutionId) -> Recorder | None:
    """What records an execution here; None: nothing does any more, or not in this process."""
    return _recorders.get(execution_id)


def begin_recording(execution_id: ExecutionId, journal: object) -> None:
    """From here on, this journal records the execution on the running loop, until :func:`end_recording`."""
    _recorders[execution_id] = Recorder(journal, asyncio.get_running_loop())


def end_recording(execution_id: ExecutionId, journal: object) -> None:
    """This journal records nothing more of the execution."""
    recorder = _recorders.get(execution_id)
    if recorder is not None and recorder.journal is journal:
        del _recorders[execution_id]


@contextmanager
def run_by_pipeline(execution_id: ExecutionId, journal: object) -> Generator[None]:
    """A pipeline's own runner writes the steps of this execution meanwhile, here in this process, to this journal."""
    _run_by_pipeline.add(execution_id)
    begin_recording(execution_id, journal)
    try:
        yield
    finally:
        _run_by_pipeline.discard(execution_id)
        end_recording(execution_id, journal)


def is_run_by_pipeline(execution_id: ExecutionId) -> bool:
    """Whether the steps of the graph of this execution are not anybody else's to record."""
    return execution_id in _run_by_pipeline


def carry(function: Callable[P, R]) -> Callable[P, R]:
    """The function, in whatever thread it is called, in the place where ``carry`` was called."""
    context = contextvars.copy_context()

    def carried(*args: P.args, **kwargs: P.kwargs) -> R:
        return context.copy().run(function, *args, **kwargs)

    return carried
