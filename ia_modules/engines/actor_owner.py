"""The owner's side of an attempt on a Ray cluster: has its actor made, and answers it until the attempt has ended."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec

from ia_modules.engines.ray_amounts import has_all, in_words, needed_by, nodes_in_words, sums_of
from ia_modules.engines.ray_connection import RayConnection
from ia_modules.engines.ray_link import RayAway
from ia_modules.engines.ray_messages import ActorPlace, RayAnswer
from ia_modules.errors import PASSING_DATABASE_ERRORS, DatabaseError, StepError, StepLost, TrackerError
from ia_modules.models import LogLevel, StepPlace
from ia_modules.paths import GRAPH
from ia_modules.pipeline.remote_calls import (
    AttemptEnded,
    BeginCall,
    HostRequest,
    OwnersDesk,
    RemoteCall,
    line_of,
    read_by_owner,
    reply_to,
)
from ia_modules.pipeline.remote_calls import encoded as encoded_call

FALLBACK = ":fallback"
"""What the name of an attempt ends with that makes the fallback of a step."""

POOL = "pool:"
"""What the name of an actor begins with that is that of a pool."""

_TALK_SECONDS = 10.0
_AGAIN_SECONDS = 1.0
_SAY_AFTER_SECONDS = 2.0
_SAY_SILENT_SECONDS = 10.0  # a driver that died is another one by then
_CANCEL_SECONDS = 15.0

logger = logging.getLogger("ia_modules.ray")


def outlives_its_owner(call: RemoteCall) -> bool:
    """Whether the next owner asks for it; an item of a map is made anew."""
    return call.within == GRAPH and call.item_key is None


class ActorOwner:
    """The owner's side of one attempt."""

    def __init__(self, ray: RayConnection, call: RemoteCall, desk: OwnersDesk) -> None:
        self._ray, self._call, self._desk = ray, call, desk
        self._epoch = desk.facts().epoch
        self.name = call.step_execution_id if call.failure is None else f"{call.step_execution_id}{FALLBACK}"
        self.actor = self.name if call.needs.pool is None else f"{POOL}{call.needs.pool.name}"
        self._answering = set[asyncio.Task[None]]()
        self._may_have_begun = False
        self._has_said_silent = False

    async def to_end(self, timeout_seconds: float | None, *, rejoins: bool) -> AttemptEnded:
        """Have it made, and do for it what it asks its owner for."""
        if not rejoins:
            await self._until_answered(self._mark)
            await self._is_feasible()
            # Right before it begins: a write under the lease, so that another owner's, by now, is noticed.
            await self._desk.put_on_record(await self._placed())
        begin = encoded_call(BeginCall(self._call))
        self._may_have_begun = True
        await self._called("begin", begin, timeout_seconds)
        after = 0
        while True:
            for number, message in (await self._called("talk", after, _TALK_SECONDS)).value:
                after = max(after, number)
                news = read_by_owner(message)
                if isinstance(news, AttemptEnded):
                    return news
                self._answer(news)

    async def cancel(self) -> bool:
        """Have it stopped; False: its process had to be ended."""
        if not self._may_have_begun:
            return True  # its actor is ended, or forgets it
        try:
            async with asyncio.timeout(_CANCEL_SECONDS):
                ended = read_by_owner((await self._called("cancel")).value)
                return not isinstance(ended, AttemptEnded) or ended.is_clean
        except (StepError, TimeoutError):  # it is gone, another's, or nobody knows; it counts as cancelled
            return True

    def close(self) -> None:
        """Nobody waits for answers any more."""
        for task in self._answering:
            task.cancel()

    async def _mark(self) -> None:
        cluster = await self._ray.joined()
        if outlives_its_owner(self._call):
            await self._desk.mark_elsewhere(cluster)

    async def _is_feasible(self) -> None:
        """Wait until a node could have what it needs, though something else may have it now.

        Raises:
            StepError: none has for too long.
        """
        loop = asyncio.get_running_loop()
        end_at = loop.time() + self._ray.resource_wait_seconds
        while True:
            nodes = await self._until_answered(self._ray.nodes)
            if any(has_all(needed_by(self._call.needs), node.total) for node in nodes):
                return
            if loop.time() >= end_at:
                what = (
                    f"no node of the Ray cluster has {in_words(needed_by(self._call.needs))}: {nodes_in_words(nodes)}"
                )
                raise StepError(self._call.step_id, f"{what}. Ask for less, or add such a node.")
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _placed(self) -> StepPlace:
        """Where its actor runs, once the cluster has what it needs."""
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        created = await self._created()
        return StepPlace(
            cluster=await self._until_answered(self._ray.joined),
            node=created.node,
            pid=created.pid,
            resources=needed_by(self._call.needs),
            waited_seconds=loop.time() - began_at,
        )

    async def _created(self) -> ActorPlace:
        create = partial(self._ray.create, self.actor, self.name, self._call.needs)
        creating = asyncio.create_task(self._until_answered(create))
        try:
            await asyncio.wait([creating], timeout=_SAY_AFTER_SECONDS)
            if not creating.done():
                await self._say_that_it_waits()
            try:
                answer = await creating
            except ValueError as wrong:
                what = f"{self._call.needs.runtime_env}, its runtime_env, {wrong}"
                raise StepError(self._call.step_id, f"{what}.") from None
            if self._call.needs.pool is not None and answer.trouble in ("died", "unknown"):
                answer = await self._until_answered(create)  # it had nothing to do, and has ended in this moment
            answer = self._checked(answer)
        finally:
            creating.cancel()
        return msgspec.convert(answer.value, ActorPlace)

    async def _say_that_it_waits(self) -> None:
        """Where no node has free what it needs; else it only takes its time to start."""
        needed = needed_by(self._call.needs)
        with suppress(RayAway, *PASSING_DATABASE_ERRORS):
            nodes = await self._ray.nodes()
            if any(has_all(needed, node.free) for node in nodes):
                return
            free, total = sums_of(node.free for node in nodes), sums_of(node.total for node in nodes)
            short = {key: amount for key, amount in needed.items() if free.get(key, 0.0) < amount} or needed
            has = ", ".join(f"{free.get(key, 0.0):g} of {total.get(key, 0.0):g} {key}" for key in short)
            await self._say(LogLevel.INFO, f"Waits for {in_words(needed)} of the Ray cluster, which has {has} free")

    async def _say(self, level: LogLevel, message: str) -> None:
        await self._desk.record(line_of(self._call, level, message))

    async def _called(self, method: str, *args: Any) -> RayAnswer:
        """What a method of its actor gives.

        Raises:
            StepLost: nobody knows what came of the attempt.
            StepError: its actor ended, or it belongs to somebody else.
        """
        ask = partial(self._ray.ask, "call", self.actor, method, self.name, self._epoch, *args)
        return self._checked(await self._until_answered(ask))

    def _checked(self, answer: RayAnswer) -> RayAnswer:
        step_id, trouble = self._call.step_id, answer.trouble
        match trouble:
            case None:
                return answer
            case "unknown":
                raise StepLost(step_id, "the Ray cluster knows nothing of it.")
            case "node died":
                raise StepLost(step_id, "its node of the Ray cluster is gone.")
            case "died":
                raise StepError(step_id, f"the process that kept it on the Ray cluster ended: {answer.why}")
            case "stale":
                raise StepError(step_id, "another process owns the execution by now.")
            case _:
                raise StepError(step_id, f"the Ray cluster refused it: {answer.why}")

    async def _until_answered(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """Ask again until Ray answers, and the records: from their silence nothing follows."""
        asking = asyncio.create_task(self._asked_again(ask), name=f"ray:{self._call.step_id}:ask")
        try:
            while not (await asyncio.wait([asking], timeout=_SAY_SILENT_SECONDS))[0]:
                if self._ray.cluster is None and not self._has_said_silent:
                    self._has_said_silent = True
                    with suppress(TrackerError, DatabaseError):  # whoever writes the end of the attempt finds out
                        what = f"Waits for the Ray cluster {self._ray.address}, which does not answer"
                        await self._say(LogLevel.WARNING, what)
            return asking.result()
        finally:
            asking.cancel()

    async def _asked_again(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        while True:
            try:
                return await ask()
            except (RayAway, *PASSING_DATABASE_ERRORS) as away:
                logger.debug("Step %s waits: %s", self._call.step_id, away)
            await asyncio.sleep(_AGAIN_SECONDS)

    def _answer(self, request: Any) -> None:
        task = asyncio.create_task(self._replied(request), name=f"ray:{self._call.step_id}:answer")
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _replied(self, request: HostRequest) -> None:
        reply = await reply_to(request, self._desk)
        if reply.failure is not None and self._desk.leaves:
            return  # the next owner does it
        with suppress(StepError):  # who talks with it finds out
            await self._called("reply", encoded_call(reply))
