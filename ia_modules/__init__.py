"""Run pipelines, graphs of steps, with every execution and step on record in SQLite or PostgreSQL.

The public names. Each is imported when it is first used, so that ``import ia_modules`` costs next to nothing.
"""

from ia_modules.version import __version__

TYPE_CHECKING = False  # as type checkers know it: importing ``typing`` takes longer than all else here
if TYPE_CHECKING:
    from typing import Any

    from ia_modules.client import Client
    from ia_modules.database.manager import DatabaseManager
    from ia_modules.errors import IAModulesError, PipelineError
    from ia_modules.pipeline.arrows import end, finish, first, otherwise, when
    from ia_modules.pipeline.authoring import Flow
    from ia_modules.pipeline.core import ExecutionContext, Inner, Step, StepContext
    from ia_modules.pipeline.current import current
    from ia_modules.pipeline.runner import Runner
    from ia_modules.pipeline.services import ServiceRegistry
    from ia_modules.tracker.execution_tracker import ExecutionTracker
    from ia_modules.tracker.tracked import tracked
    from ia_modules.worker.worker import Worker

__all__ = [
    "Client",
    "DatabaseManager",
    "ExecutionContext",
    "ExecutionTracker",
    "Flow",
    "IAModulesError",
    "Inner",
    "PipelineError",
    "Runner",
    "ServiceRegistry",
    "Step",
    "StepContext",
    "Worker",
    "__version__",
    "current",
    "end",
    "finish",
    "first",
    "otherwise",
    "tracked",
    "when",
]

_HOMES = {
    "Client": "client",
    "DatabaseManager": "database.manager",
    "ExecutionContext": "pipeline.core",
    "ExecutionTracker": "tracker.execution_tracker",
    "Flow": "pipeline.authoring",
    "IAModulesError": "errors",
    "PipelineError": "errors",
    "Inner": "pipeline.core",
    "Runner": "pipeline.runner",
    "ServiceRegistry": "pipeline.services",
    "Step": "pipeline.core",
    "StepContext": "pipeline.core",
    "Worker": "worker.worker",
    "current": "pipeline.current",
    "end": "pipeline.arrows",
    "finish": "pipeline.arrows",
    "first": "pipeline.arrows",
    "otherwise": "pipeline.arrows",
    "tracked": "tracker.tracked",
    "when": "pipeline.arrows",
}


def __getattr__(name: str) -> "Any":
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
