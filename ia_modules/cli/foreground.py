"""Runs or watches an execution in the foreground: shows its changes, stops on Ctrl-C, returns how it ended."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import typer

from ia_modules.cli.interrupt import end_at_once, interrupted_by
from ia_modules.cli.output.ending import Ending, print_ending
from ia_modules.cli.output.terminal import ExitStatus, fail
from ia_modules.cli.output.view import View, view_of
from ia_modules.errors import DatabaseError, ExecutionCancelled, IAModulesError, LeaseLost
from ia_modules.models import ExecutionId, ExecutionStatus
from ia_modules.pipeline.executor import LocalExecutor
from ia_modules.pipeline.runner import TRACKER_SERVICE, Runner, StartedExecution
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.tracker.execution_tracker import ExecutionTracker

_LAST_LOOK_SECONDS = 10.0  # for the view to catch up with what is on record


async def carry_out(tracker: ExecutionTracker, started: StartedExecution, view: View, *, after: int = 0) -> Ending:
    """Run an execution as far as it goes, in view of what comes after a sequence.

    Ctrl-C and SIGTERM cancel it, on record; a second one ends the process at once, and leaves it as it stands.
    """
    execution_id = started.execution_id
    running = asyncio.create_task(started.to_end(), name=f"run:{execution_id}")
    looking = _watch_while_running(tracker, execution_id, view, after)
    watching = asyncio.create_task(looking, name=f"view:{execution_id}")

    def stop() -> None:
        view.say("Stopping: what runs is cancelled, on record. Once more ends this process at once.")
        running.cancel()

    with interrupted_by(stop):
        await asyncio.wait([running])
        ending = await _ending(tracker, execution_id, _error_of(running))
        if ending.error is None:
            await asyncio.wait([watching], timeout=_LAST_LOOK_SECONDS)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    view.end(ending.record)
    return ending


async def watch(tracker: ExecutionTracker, execution_id: ExecutionId, view: View) -> Ending | None:
    """Show an execution that somebody else runs, until it ends; None when Ctrl-C ended the watching first."""
    watching = asyncio.create_task(_watch(tracker, execution_id, view, until=_has_ended), name=f"view:{execution_id}")
    with interrupted_by(watching.cancel):
        await asyncio.wait([watching])
    if watching.cancelled():
        return None
    watching.result()
    ending = await _ending(tracker, execution_id, None)
    view.end(ending.record)
    return ending


async def _watch(
    tracker: ExecutionTracker,
    execution_id: ExecutionId,
    view: View,
    *,
    until: Callable[[ExecutionStatus], bool],
    after: int = 0,
) -> None:
    async with aclosing(tracker.subscribe(execution_id, after)) as pages:
        async for changes in pages:
            view.show(changes)
            if until(changes.execution.status) and not changes.more:
                return


async def _watch_while_running(tracker: ExecutionTracker, execution_id: ExecutionId, view: View, after: int) -> None:
    try:
        await _watch(tracker, execution_id, view, until=_is_at_rest, after=after)
    except DatabaseError as error:
        view.say(f"What follows is not seen here, but it goes on: {error}")


def _has_ended(status: ExecutionStatus) -> bool:
    return status.is_terminal


def _is_at_rest(status: ExecutionStatus) -> bool:
    return status.is_terminal or status is ExecutionStatus.WAITING_FOR_HUMAN


async def _ending(tracker: ExecutionTracker, execution_id: ExecutionId, error: IAModulesError | None) -> Ending:
    record = await tracker.get_execution(execution_id)
    assert record is not None
    waits = record.status is ExecutionStatus.WAITING_FOR_HUMAN
    questions = await tracker.get_interactions(execution_id) if waits else []
    pending = [each for each in questions if each.status == "pending"]
    stands = _is_at_rest(record.status) and not isinstance(error, LeaseLost)  # then it is not this process's ending
    return Ending(record, pending, None if stands else error)


def _error_of(running: asyncio.Task[object]) -> IAModulesError | None:
    """Why it did not end well; what is no error of ours is a mistake in here, and raised."""
    if running.cancelled():
        return None
    error = running.exception()
    if error is None or isinstance(error, ExecutionCancelled):
        return None
    if not isinstance(error, IAModulesError):
        raise error
    return error


def runner_of(tracker: ExecutionTracker, executor: LocalExecutor) -> Runner:
    return Runner(tracker, services=ServiceRegistry({TRACKER_SERVICE: tracker}), executor=executor)


async def run_in_view(
    tracker: ExecutionTracker, started: StartedExecution, same_database: str, *, as_json: bool, after: int = 0
) -> ExitStatus:
    """Run a started execution to its end in the foreground, and print how it ended.

    Args:
        after: the sequence of the last change that is known; a live view shows all of them anyway.
    """
    with view_of(started.pipeline.graph, as_json=as_json) as view:
        ending = await carry_out(tracker, started, view, after=0 if view.is_whole else after)
    if not as_json:
        print_ending(ending, same_database)
    elif ending.error is not None:
        raise fail(str(ending.error))
    return ending.exit_status


def leave(status: ExitStatus, executor: LocalExecutor) -> None:
    """End with this status, also when a step that did not stop still runs: the loop would wait for it."""
    if executor.abandoned:
        end_at_once(status)
    raise typer.Exit(status)
