"""What has joined a Ray cluster for a program: asked by an owner of attempts, and replaced when it dies."""

import asyncio
import json
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from ia_modules.engines.ray_amounts import needed_by
from ia_modules.engines.ray_link import RayAway, RayLink, opened_link
from ia_modules.engines.ray_messages import ActorOptions, JoinCluster, NodeResources, RayAnswer, RayVerb
from ia_modules.errors import InvalidArgument
from ia_modules.pipeline.remote_calls import Needs
from ia_modules.pipeline.runtime_env import laid_over, read_runtime_env
from ia_modules.tasks import in_thread

_AGAIN_SECONDS = 1.0
_MOST_SECONDS_APART = 30.0
_FROZEN_SECONDS = 30.0

logger = logging.getLogger("ia_modules.ray")


class RayConnection:
    """A Ray cluster as this program has joined it, by a driver: a process of its own, there while it is needed."""

    def __init__(
        self,
        address: str,
        *,
        namespace: str | None,
        resource_wait_seconds: float,
        unclaimed_seconds: float,
        runtime_env: Mapping[str, Any] | None,
    ) -> None:
        """As of :class:`ia_modules.engines.ray.RayCluster`; without a namespace nothing can be asked."""
        _refuse_what_starts_one(address)
        self._address = address
        self._namespace: str | None = namespace
        self._resource_wait_seconds, self._unclaimed_seconds = resource_wait_seconds, unclaimed_seconds
        self._runtime_env = None if runtime_env is None else dict(runtime_env)
        self._link: RayLink | None = None
        self._opening: asyncio.Future[RayLink] | None = None
        self._failures, self._why, self._again_at = 0, "", 0.0  # to join it, one after the other

    @property
    def address(self) -> str:
        return self._address

    @property
    def cluster(self) -> str | None:
        """Which cluster it has joined; None: none at the moment."""
        return self._link.cluster if self._link is not None and self._link.is_open else None

    async def joined(self) -> str:
        """Which cluster this is.

        Raises:
            RayAway: it cannot be joined now.
        """
        return (await self._linked()).cluster

    async def nodes(self) -> list[NodeResources]:
        """What its nodes have, and what of it is free.

        Raises:
            RayAway: it does not answer.
        """
        answer = await self.ask("nodes")
        return msgspec.convert(answer.value, list[NodeResources])

    async def names(self) -> list[str]:
        """Of the actors in its namespace: the ids of their attempts, and those of pools.

        Raises:
            RayAway: it does not answer.
        """
        return (await self.ask("names")).value

    async def create(self, actor: str, attempt: str, needs: Needs) -> RayAnswer:
        """Have an actor take an attempt, and make the actor first where there is none of that name.

        Raises:
            RayAway: the cluster does not answer now.
            ValueError: its runtime_env cannot be read; says why, after "which".
        """
        runtime_env = self._runtime_env
        if needs.runtime_env is not None:
            own = await in_thread(partial(read_runtime_env, Path(needs.runtime_env)), "ray:runtime-env")
            runtime_env = laid_over(runtime_env or {}, own)
        options = ActorOptions(
            cpu=needs.cpu,
            gpu=needs.gpu,
            memory=needs.memory,
            custom=needs.custom,
            unclaimed_seconds=self._unclaimed_seconds,
            idle_seconds=0.0 if needs.pool is None else needs.pool.idle_seconds,
            resources=needed_by(needs),
            runtime_env=None if runtime_env is None else json.dumps(runtime_env),
        )
        return await self.ask("create", actor, "", attempt, options=options)

    async def ask(
        self, verb: RayVerb, name: str = "", method: str = "", *args: Any, options: ActorOptions | None = None
    ) -> RayAnswer:
        """What the driver answers.

        Raises:
            RayAway: the cluster, the driver, or the actor does not answer now.
        """
        answer = await (await self._linked()).ask(verb, name, method, args, options)
        if answer.trouble == "away":
            raise RayAway(answer.why)
        return answer

    @property
    def resource_wait_seconds(self) -> float:
        return self._resource_wait_seconds

    async def _linked(self) -> RayLink:
        """The driver, which is started where there is none; seldom where it could not join again and again."""
        if self._link is not None and self._link.is_open:
            return self._link
        if self._opening is None:
            if asyncio.get_running_loop().time() < self._again_at:
                raise RayAway(self._why)
            assert self._namespace is not None
            join = JoinCluster(address=self._address, namespace=self._namespace)
            self._opening = asyncio.ensure_future(opened_link(join))
            self._opening.add_done_callback(self._opened)
        return await asyncio.shield(self._opening)

    def _opened(self, opening: "asyncio.Future[RayLink]") -> None:
        self._opening = None
        if opening.cancelled():
            return
        if (error := opening.exception()) is None:
            self._link, self._failures = opening.result(), 0
            return
        pause_seconds = min(_AGAIN_SECONDS * 2**self._failures, _MOST_SECONDS_APART)
        self._failures, self._why = self._failures + 1, str(error)
        self._again_at = opening.get_loop().time() + pause_seconds

    async def watch(self) -> None:
        """End a driver that does not answer, such as a frozen one: another takes its place when it is needed."""
        while True:
            await asyncio.sleep(_FROZEN_SECONDS)
            link = self._link
            if link is not None and link.is_open and not await link.answers(_FROZEN_SECONDS):
                logger.warning("The process that has joined the Ray cluster does not answer: it is ended")
                link.kill()

    async def close(self) -> None:
        """End the driver. What runs on the cluster goes on."""
        link, self._link, opening = self._link, None, self._opening
        if opening is not None:
            opening.cancel()
            await asyncio.wait([opening])
        if link is not None:
            await in_thread(link.close, "ray:close")


def _refuse_what_starts_one(address: str) -> None:
    host, _, port = address.rpartition(":")
    if address != "auto" and (not host or not port.isdigit() or "/" in address):
        expected = (
            "auto, or HOST:PORT of a cluster that runs and has this machine as a node (Ray Client, ray://, is none)"
        )
        raise InvalidArgument("address of a Ray cluster", repr(address), expected)
