"""Steps on a Ray cluster: the rows say who owns an execution, Ray on which processor one attempt of it runs.

    owner ──request──→ driver, a process of the owner's own ──→ actor on a node ──→ process with the code

The actor has a name, the attempt's id, and outlives the owner: whoever has the execution next finds it by that name. No
call lasts as long as the step, and each may be made again.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self

import msgspec

from ia_modules.engines.ray_amounts import asked_for, has_all, in_words, needed_by, nodes_in_words, sums_of
from ia_modules.engines.ray_link import RayAway, RayLink, opened_link
from ia_modules.engines.ray_messages import (
    ActorOptions,
    ActorPlace,
    JoinCluster,
    NodeResources,
    PoolFacts,
    RayAnswer,
    RayVerb,
)
from ia_modules.errors import (
    PASSING_DATABASE_ERRORS,
    DatabaseError,
    InvalidArgument,
    StepError,
    StepLost,
    TrackerError,
)
from ia_modules.models import (
    ClusterNode,
    JoinedCluster,
    JsonText,
    LogLevel,
    StepExecutionId,
    StepPlace,
    WarmPool,
    is_id,
)
from ia_modules.paths import GRAPH
from ia_modules.pipeline.process_pool import not_stopped
from ia_modules.pipeline.remote_calls import (
    AttemptEnded,
    BeginCall,
    HostRequest,
    Needs,
    OwnersDesk,
    RemoteCall,
    line_of,
    read_by_owner,
    reply_to,
)
from ia_modules.pipeline.remote_calls import encoded as encoded_call
from ia_modules.pipeline.runtime_env import laid_over, read_runtime_env
from ia_modules.tasks import background, in_thread

UNCLAIMED_SECONDS = 3600.0
"""How long an attempt goes on that nobody asks for."""

_TALK_SECONDS = 10.0
_AGAIN_SECONDS = 1.0
_SAY_AFTER_SECONDS = 2.0
_SAY_SILENT_SECONDS = 10.0  # a driver that died is another one by then
_CANCEL_SECONDS = 15.0
_LEAVE_SECONDS = 3.0
_SWEEP_SECONDS = 30.0
_FROZEN_SECONDS = 30.0
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


class RayCluster:
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
        _refuse_what_starts_one(address)
        self._address, self._namespace = address, namespace
        self._resource_wait_seconds, self._unclaimed_seconds = resource_wait_seconds, unclaimed_seconds
        self._runtime_env = None if runtime_env is None else dict(runtime_env)
        self._link: RayLink | None = None
        self._opening: asyncio.Future[RayLink] | None = None
        self._failures, self._why, self._again_at = 0, "", 0.0  # to join it, one after the other
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
        tasks = [background(self._sweep(rows), "ray:sweep"), background(self._watch(), "ray:watch")]
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
        link, self._link, opening = self._link, None, self._opening
        if opening is not None:
            opening.cancel()
            await asyncio.wait([opening])
        if link is not None:
            await in_thread(link.close, "ray:close")

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
        attempt = _ActorOwner(self, call, desk)
        if attempt.actor != attempt.name:
            self._pools[attempt.name] = attempt.actor
        try:
            ended = await attempt.to_end(timeout_seconds, rejoins=rejoins)
        except asyncio.CancelledError as cancelled:
            if desk.leaves:
                raise
            is_clean = await attempt.cancel()
            if _outlives_its_owner(call):
                self.recorded([attempt.name])
            if not is_clean:
                raise cancelled from not_stopped(call)
            raise
        finally:
            attempt.close()
            if desk.leaves:
                self._pools.pop(attempt.name, None)
            elif not _outlives_its_owner(call):
                self.recorded([attempt.name])
        if ended.failure is not None:
            raise ended.failure.as_exception()
        if ended.result is None:
            raise StepLost(call.step_id, "somebody else has stopped it.")
        return ended.result

    def recorded(self, attempts: Iterable[str]) -> None:
        """Nobody needs what came of these attempts any more: their ends are on record."""
        for attempt in attempts:
            for name in (attempt, _fallback_name(attempt)):
                self._end(self._pools.pop(name, name), name)

    # For attempts

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
        pause_seconds = min(_AGAIN_SECONDS * 2**self._failures, _SWEEP_SECONDS)
        self._failures, self._why = self._failures + 1, str(error)
        self._again_at = opening.get_loop().time() + pause_seconds

    async def _watch(self) -> None:
        """End a driver that does not answer, such as a frozen one: another takes its place when it is needed."""
        while True:
            await asyncio.sleep(_FROZEN_SECONDS)
            link = self._link
            if link is not None and link.is_open and not await link.answers(_FROZEN_SECONDS):
                logger.warning("The process that has joined the Ray cluster does not answer: it is ended")
                link.kill()

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
                    ids = {name: StepExecutionId(name.removesuffix(_FALLBACK)) for name in actors}
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

        ``pending``: what has not been answered, and is not pending again meanwhile.
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


_FALLBACK, _POOL = ":fallback", "pool:"


def _fallback_name(attempt: str) -> str:
    return f"{attempt}{_FALLBACK}"


def _is_pool(name: str) -> bool:
    """Whether an actor of this name is that of a pool; others may be in the namespace."""
    return name.startswith(_POOL) and name.count("/") >= 2


def _warm_pool(name: str, facts: PoolFacts) -> WarmPool:
    """``name``: of its actor."""
    pipeline, _, pool = name.removeprefix(_POOL).split("/", 2)
    return WarmPool(
        pipeline=pipeline,
        name=pool,
        node=facts.node,
        pid=facts.pid,
        resources=facts.resources,
        attempts=len(facts.attempts),
    )


def _outlives_its_owner(call: RemoteCall) -> bool:
    """Whether the next owner asks for it; an item of a map is made anew."""
    return call.within == GRAPH and call.item_key is None


def _refuse_what_starts_one(address: str) -> None:
    host, _, port = address.rpartition(":")
    if address != "auto" and (not host or not port.isdigit() or "/" in address):
        expected = (
            "auto, or HOST:PORT of a cluster that runs and has this machine as a node (Ray Client, ray://, is none)"
        )
        raise InvalidArgument("address of a Ray cluster", repr(address), expected)


class _ActorOwner:
    """The owner's side of one attempt."""

    def __init__(self, ray: RayCluster, call: RemoteCall, desk: OwnersDesk) -> None:
        self._ray, self._call, self._desk = ray, call, desk
        self._epoch = desk.facts().epoch
        self.name = call.step_execution_id if call.failure is None else _fallback_name(call.step_execution_id)
        self.actor = self.name if call.needs.pool is None else f"{_POOL}{call.needs.pool.name}"
        self._answering = set[asyncio.Task[None]]()
        self._may_have_begun = False
        self._has_said_silent = False

    async def to_end(self, timeout_seconds: float | None, *, rejoins: bool) -> AttemptEnded:
        """Have it made, and do for it what it asks its owner for."""
        if not rejoins:
            await self._surely(self._mark)
            await self._is_feasible()
            # Right before it begins: a write under the lease, so that another owner's, by now, is noticed.
            await self._desk.put_on_record(await self._placed())
        begin = encoded_call(BeginCall(self._call))
        self._may_have_begun = True
        await self._told("begin", begin, timeout_seconds)
        after = 0
        while True:
            for number, message in (await self._told("talk", after, _TALK_SECONDS)).value:
                after = max(after, number)
                news = read_by_owner(message)
                if isinstance(news, AttemptEnded):
                    return news
                self._answer(news)

    async def cancel(self) -> bool:
        """Have it stopped; False: its process had to be ended."""
        if not self._may_have_begun:
            return True  # its actor is ended
        try:
            async with asyncio.timeout(_CANCEL_SECONDS):
                ended = read_by_owner((await self._told("cancel")).value)
                return not isinstance(ended, AttemptEnded) or ended.is_clean
        except (StepError, TimeoutError):  # it is gone, another's, or nobody knows; it counts as cancelled
            return True

    def close(self) -> None:
        """Nobody waits for answers any more."""
        for task in self._answering:
            task.cancel()

    async def _mark(self) -> None:
        cluster = await self._ray.joined()
        if _outlives_its_owner(self._call):
            await self._desk.mark_elsewhere(cluster)

    async def _is_feasible(self) -> None:
        """Wait until a node could have what it needs, though something else may have it now.

        Raises:
            StepError: none has for too long.
        """
        loop = asyncio.get_running_loop()
        end_at = loop.time() + self._ray.resource_wait_seconds
        while True:
            nodes = await self._surely(self._ray.nodes)
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
            cluster=await self._surely(self._ray.joined),
            node=created.node,
            pid=created.pid,
            resources=needed_by(self._call.needs),
            waited_seconds=loop.time() - began_at,
        )

    async def _created(self) -> ActorPlace:
        create = partial(self._ray.create, self.actor, self.name, self._call.needs)
        creating = asyncio.create_task(self._surely(create))
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
                answer = await self._surely(create)  # it had nothing to do, and has ended in this moment
            answer = self._looked_at(answer)
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

    async def _told(self, method: str, *args: Any) -> RayAnswer:
        """What a method of its actor gives.

        Raises:
            StepLost: nobody knows what came of the attempt.
            StepError: its actor ended, or it belongs to somebody else.
        """
        ask = partial(self._ray.ask, "call", self.actor, method, self.name, self._epoch, *args)
        return self._looked_at(await self._surely(ask))

    def _looked_at(self, answer: RayAnswer) -> RayAnswer:
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

    async def _surely(self, ask: Callable[[], Awaitable[Any]]) -> Any:
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
            await self._told("reply", encoded_call(reply))
