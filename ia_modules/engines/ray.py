"""Steps on a Ray cluster: the rows say who owns an execution, Ray on which processor one attempt of it runs.

    owner ──request──→ driver, a process of the owner's own ──→ actor on a node ──→ process with the code

The actor has a name, the attempt's id, and outlives the owner: whoever has the execution next finds it by that name. No
call lasts as long as the step, and each may be made again.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol, Self

import msgspec

from ia_modules.engines.actor_owner import FALLBACK, POOL, ActorOwner, outlives_its_owner
from ia_modules.engines.ray_amounts import asked_for
from ia_modules.engines.ray_connection import RayConnection
from ia_modules.engines.ray_link import RayAway
from ia_modules.engines.ray_messages import PoolFacts, RayAnswer
from ia_modules.errors import DatabaseError, InvalidArgument, StepLost
from ia_modules.models import ClusterNode, JoinedCluster, JsonText, StepExecutionId, WarmPool, is_id
from ia_modules.pipeline.process_pool import not_stopped
from ia_modules.pipeline.remote_calls import OwnersDesk, RemoteCall
from ia_modules.tasks import background

UNCLAIMED_SECONDS = 3600.0
"""How long an attempt goes on that nobody asks for."""

_AGAIN_SECONDS = 1.0
_LEAVE_SECONDS = 3.0
_SWEEP_SECONDS = 30.0
_TELL_SECONDS = 10.0

logger = logging.getLogger("ia_modules.ray")


class AttemptRows(Protocol):
    """What a cluster asks of the records."""

    async def installation(self) -> str:
        """Which database this is: another one than every other, but for its copies."""
        ...

    async def open_attempts(self, ids: Collection[StepExecutionId]) -> set[StepExecutionId]:
        """Which of these attempts have not ended."""
        ...

    async def tell_cluster(self, joined: JoinedCluster | None) -> None:
        """Let others see how the cluster stands that this process has joined; None: it has joined none now."""
        ...


class RayCluster(RayConnection):
    """A Ray cluster that steps of this program run on. It is joined, never started."""

    def __init__(
        self,
        address: str,
        *,
        namespace: str | None = None,
        resource_wait_seconds: float = 0.0,
        unclaimed_seconds: float = UNCLAIMED_SECONDS,
        runtime_env: Mapping[str, Any] | None = None,
    ) -> None:
        """Nothing is joined yet.

        Args:
            address: ``HOST:PORT`` of a cluster that this machine is a node of; ``auto``: the one that runs here.
            namespace: of the names of attempts, which two databases must not share; None: that of the records.
            resource_wait_seconds: how long a step may ask for what no node has, which an autoscaler may bring.
            unclaimed_seconds: how long an attempt goes on that nobody asks for.
            runtime_env: Ray's, of the operator; never stored, and shown to nobody.

        Raises:
            InvalidArgument: the address is none that a running cluster can be joined by.
        """
        super().__init__(
            address,
            namespace=namespace,
            resource_wait_seconds=resource_wait_seconds,
            unclaimed_seconds=unclaimed_seconds,
            runtime_env=runtime_env,
        )
        self._ending: set[asyncio.Task[None]] = set()
        self._pools: dict[str, str] = {}  # by attempt, the name of the pool's actor
        self._pending_of_sweep: dict[str, asyncio.Task[RayAnswer]] = {}  # by that
        self._pending_of_tell: dict[str, asyncio.Task[RayAnswer]] = {}

    @asynccontextmanager
    async def joining(self, rows: AttemptRows | None = None) -> AsyncGenerator[Self]:
        """Join it until the block ends. That may fail now, and is tried again when needed. What runs there goes on.

        Args:
            rows: the records of what runs there: what nobody has open any more is ended now and then. None: none are.

        Raises:
            InvalidArgument: neither these nor the cluster say which namespace.
        """
        if self._namespace is None:
            if rows is None:
                raise InvalidArgument("ray namespace", "none", "a name, where there is no database that has one")
            self._namespace = f"ia_modules-{await rows.installation()}"
        tasks = [background(self._sweep(rows), "ray:sweep"), background(self.watch(), "ray:watch")]
        if rows is not None:
            tasks.append(background(self._tell(rows), "ray:tell"))
        try:
            yield self
        finally:
            for task in (*tasks, *self._pending_of_sweep.values(), *self._pending_of_tell.values()):
                task.cancel()
            await self._leave()

    async def _leave(self) -> None:
        if self._ending:
            await asyncio.wait(self._ending, timeout=_LEAVE_SECONDS)  # others sweep
        await self.close()

    async def execute(
        self, call: RemoteCall, desk: OwnersDesk, *, timeout_seconds: float | None, rejoins: bool
    ) -> JsonText:
        """What the code of a call gives, as JSON, which is called on the cluster.

        When the caller's task is cancelled, the code is stopped, unless ``desk.leaves``: then it goes on.

        Args:
            timeout_seconds: from when its code is loaded, whoever owns it meanwhile.
            rejoins: an earlier owner has begun it.

        Raises:
            asyncio.CancelledError: the caller was; ``__cause__`` says whether the process of the code had to be ended.
            StepTimeout, StepProcessEnded: as in a process of this machine.
            StepLost: nobody knows what came of it.
            StepError: no node of the cluster has what it needs.
            Exception: what the step raised.
        """
        attempt = ActorOwner(self, call, desk)
        if attempt.actor != attempt.name:
            self._pools[attempt.name] = attempt.actor
        try:
            ended = await attempt.to_end(timeout_seconds, rejoins=rejoins)
        except asyncio.CancelledError as cancelled:
            if desk.leaves:
                raise
            is_clean = await attempt.cancel()
            if outlives_its_owner(call):
                self.recorded([attempt.name])
            if not is_clean:
                raise cancelled from not_stopped(call)
            raise
        finally:
            attempt.close()
            if desk.leaves:
                self._pools.pop(attempt.name, None)
            elif not outlives_its_owner(call):
                self.recorded([attempt.name])
        if ended.failure is not None:
            raise ended.failure.as_exception()
        if ended.result is None:
            raise StepLost(call.step_id, "somebody else has stopped it.")
        return ended.result

    def recorded(self, attempts: Iterable[str]) -> None:
        """Nobody needs what came of these attempts any more: their ends are on record."""
        for attempt in attempts:
            for name in (attempt, f"{attempt}{FALLBACK}"):
                self._end(self._pools.pop(name, name), name)

    # What nobody needs

    def _end(self, actor: str, attempt: str) -> None:
        task = asyncio.create_task(self._end_attempt(actor, attempt), name=f"ray:end:{attempt}")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end_attempt(self, actor: str, attempt: str) -> None:
        """An actor that it has alone ends with it."""
        with suppress(RayAway):  # the next sweep ends it
            if actor == attempt:
                await self.ask("kill", actor)
            else:
                await self.ask("call", actor, "forget", attempt)

    async def _sweep(self, rows: AttemptRows | None) -> None:
        """End the actors of attempts that have ended: their owner may have died. What has other names is not ours."""
        is_away = False
        while True:
            try:
                names = await self.names()
                if names and rows is not None:
                    pools = await self._pool_facts(names, self._pending_of_sweep)
                    actors = {name: name for name in names}
                    actors |= {attempt: pool for pool, facts in pools.items() for attempt in facts.attempts}
                    ids = {name: StepExecutionId(name.removesuffix(FALLBACK)) for name in actors}
                    ids = {name: attempt for name, attempt in ids.items() if is_id(attempt)}
                    still = await rows.open_attempts(set(ids.values()))
                    for name in [name for name, attempt in ids.items() if attempt not in still]:
                        await self._end_attempt(actors[name], name)
                is_away = False
            except RayAway as away:
                if not is_away:
                    logger.warning("The Ray cluster does not answer, steps that need it wait: %s", away)
                is_away = True
            except Exception:
                logger.exception("Actors that nobody needs could not be ended")
            await asyncio.sleep(_SWEEP_SECONDS)

    async def _pool_facts(
        self, names: Collection[str], pending: dict[str, asyncio.Task[RayAnswer]]
    ) -> dict[str, PoolFacts]:
        """How the pools among these actors stand, by name; without those that do not answer now.

        ``pending``: what has not been answered, and is not asked for again meanwhile.
        """
        for pool in names:
            if _is_pool(pool) and pool not in pending:
                asking = self.ask("call", pool, "facts")  # answered once it runs, which may take its time
                pending[pool] = asyncio.create_task(asking, name=f"ray:facts:{pool}")
        if not pending:
            return {}
        done, _ = await asyncio.wait(pending.values(), timeout=_AGAIN_SECONDS)
        facts: dict[str, PoolFacts] = {}
        for pool, listing in list(pending.items()):
            if listing in done:
                pending.pop(pool, None)
                with suppress(RayAway):
                    if (value := listing.result().value) is not None:
                        facts[pool] = msgspec.convert(value, PoolFacts)
        return facts

    # What others see of it

    async def _tell(self, rows: AttemptRows) -> None:
        """Say now and then how it stands; what fails is said the next time."""
        while True:
            try:
                await rows.tell_cluster(await self._state())
            except (RayAway, DatabaseError) as error:
                logger.debug("How the Ray cluster stands could not be told: %s", error)
            except Exception:
                logger.exception("How the Ray cluster stands could not be told")
            await asyncio.sleep(_AGAIN_SECONDS if self.cluster is None else _TELL_SECONDS)

    async def _state(self) -> JoinedCluster | None:
        """How it stands; None: it is not joined, and is not joined for this."""
        if (cluster := self.cluster) is None:
            return None
        nodes = [
            ClusterNode(node=each.node, total=asked_for(each.total), free=asked_for(each.free))
            for each in await self.nodes()
        ]
        nodes.sort(key=lambda each: each.node)
        facts = await self._pool_facts(await self.names(), self._pending_of_tell)
        pools = [_warm_pool(name, facts[name]) for name in sorted(facts)]
        return JoinedCluster(cluster=cluster, nodes=tuple(nodes), pools=tuple(pools))


def _is_pool(name: str) -> bool:
    """Whether an actor of this name is that of a pool; others may be in the namespace."""
    return name.startswith(POOL) and name.count("/") >= 2


def _warm_pool(name: str, facts: PoolFacts) -> WarmPool:
    """``name``: of its actor."""
    pipeline, _, pool = name.removeprefix(POOL).split("/", 2)
    return WarmPool(
        pipeline=pipeline,
        name=pool,
        node=facts.node,
        pid=facts.pid,
        resources=facts.resources,
        attempts=len(facts.attempts),
    )
