"""Runs or watches an execution in the foreground: shows its changes, stops on Ctrl-C, returns how it ended."""

import asyncio
from contextlib import aclosing

import typer
from msgspec.structs import replace

from ia_modules.cli.interrupt import end_at_once, interrupted_by
from ia_modules.cli.output.ending import Ending, print_ending
from ia_modules.cli.output.terminal import ExitStatus, fail
from ia_modules.cli.output.view import OutputView, View, view_of
from ia_modules.client import Client
from ia_modules.errors import DatabaseError, ExecutionCancelled, IAModulesError, LeaseLost
from ia_modules.models import ExecutionId, ExecutionStatus, InteractionRecord
from ia_modules.pipeline.executor import LocalExecutor
from ia_modules.pipeline.runner import StartedExecution

_LAST_LOOK_SECONDS = 10.0  # for the view to catch up with what is on record


async def carry_out(client: Client, started: StartedExecution, view: View | OutputView, *, after: int = 0) -> Ending:
    """Run an execution as far as it goes, and show its changes after a sequence.

    Ctrl-C, SIGTERM and SIGHUP cancel it, on record; a second one ends the process at once and changes no record.
    """
    execution_id = started.execution_id
    running = asyncio.create_task(started.to_end(), name=f"run:{execution_id}")
    looking = _watch_while_running(client, execution_id, view, after)
    watching = asyncio.create_task(looking, name=f"view:{execution_id}")

    def stop() -> None:
        running.cancel()  # first: the terminal may be gone
        view.say("Stopping: what runs is cancelled, on record. Once more ends this process at once.")

    with interrupted_by(stop):
        await asyncio.wait([running])
        ending = await _ending(client, execution_id, _error_of(running))
        if ending.error is None:
            await asyncio.wait([watching], timeout=_LAST_LOOK_SECONDS)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    view.end(ending.record)
    return ending


async def watch(
    client: Client, execution_id: ExecutionId, view: View | OutputView, *, to_rest: bool = False
) -> Ending | None:
    """Show an execution until it ends, whichever process runs it; None when Ctrl-C ended the watching first.

    Args:
        to_rest: ends also when it waits for a person.
    """
    showing = _show_until_ended(client, execution_id, view, to_rest=to_rest)
    watching = asyncio.create_task(showing, name=f"view:{execution_id}")
    with interrupted_by(watching.cancel):
        await asyncio.wait([watching])
    if watching.cancelled():
        return None
    watching.result()
    ending = await _ending(client, execution_id, None)
    view.end(ending.record)
    return ending


async def _show_until_ended(
    client: Client, execution_id: ExecutionId, view: View | OutputView, *, after: int = 0, to_rest: bool
) -> None:
    if isinstance(view, OutputView):
        async with aclosing(client.stream(execution_id, after, to_rest=to_rest)) as pieces:
            async for piece in pieces:
                view.show_piece(piece)
        return
    async with aclosing(client.follow(execution_id, after, to_rest=to_rest)) as pages:
        async for changes in pages:
            view.show(changes)


async def _watch_while_running(client: Client, execution_id: ExecutionId, view: View | OutputView, after: int) -> None:
    try:
        await _show_until_ended(client, execution_id, view, after=after, to_rest=True)
    except DatabaseError as error:
        view.say(f"What follows is not seen here, but it goes on: {error}")


async def _ending(client: Client, execution_id: ExecutionId, error: IAModulesError | None) -> Ending:
    record = await client.execution(execution_id)
    questions: list[InteractionRecord] = []
    if record.status is ExecutionStatus.WAITING_FOR_HUMAN:
        questions = await client.tracker.get_interactions(execution_id)
        record = replace(record, output_data=(await client.result(execution_id))["output"])
    pending = [each for each in questions if each.status == "pending"]
    stands = record.status.is_at_rest and not isinstance(error, LeaseLost)  # then it is not this process's ending
    return Ending(record, pending, None if stands else error)


def _error_of(running: asyncio.Task[object]) -> IAModulesError | None:
    """The error that kept the run from its end; None when there is none. An error that is not ours is raised."""
    if running.cancelled():
        return None
    error = running.exception()
    if error is None or isinstance(error, ExecutionCancelled):
        return None
    if not isinstance(error, IAModulesError):
        raise error
    return error


async def run_in_view(
    client: Client,
    started: StartedExecution,
    same_database: str,
    *,
    as_json: bool,
    after: int = 0,
    output: bool = False,
) -> ExitStatus:
    """Run a started execution to its end in the foreground, and print how it ended.

    Args:
        after: the sequence of the last change that is known; a live view shows all of them anyway.
        output: what its steps give as it comes is shown, and nothing else on stdout.
    """
    with view_of(started.pipeline.graph, as_json=as_json, runs_here=True, output=output) as view:
        ending = await carry_out(client, started, view, after=0 if view.is_whole else after)
    if not as_json:
        print_ending(ending, same_database, is_output=output)
    elif ending.error is not None:
        raise fail(str(ending.error))
    return ending.exit_status


def leave(status: ExitStatus, executor: LocalExecutor) -> None:
    """End with this status, also when a step that did not stop still runs: the loop would wait for it."""
    if executor.abandoned:
        end_at_once(status)
    raise typer.Exit(status)
