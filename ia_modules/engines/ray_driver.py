"""What has joined a Ray cluster for a worker: a process of its own, since Ray ends one whose cluster is gone.

It remembers nothing that anybody needs: when it dies, another one goes on.
"""

import asyncio
import importlib
import json
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from ia_modules.engines.attempt_actor import AttemptActor, StaleOwner, UnknownAttempt
from ia_modules.engines.ray_messages import (
    ActorPlace,
    JoinCluster,
    Joined,
    NodeResources,
    NotJoined,
    RayAnswer,
    RayNews,
    RayRequest,
    Trouble,
    encoded,
    read_request,
)
from ia_modules.pipeline.child_main import Hear, Send, serve

_LOOK_SECONDS = 5.0
_AT_ONCE = 1000  # calls of one actor; each attempt of a pool has one or two


def main(channel: int, lifeline: int) -> None:
    """Join the cluster that the first message names, and serve the owner until it closes the channel.

    Args:
        channel, lifeline: of :func:`ia_modules.pipeline.child_main.serve`.
    """

    @asynccontextmanager
    async def host(send: Send) -> AsyncGenerator[Hear]:
        yield _Service(send).hear
        os._exit(0)  # Ray's own end takes seconds, and has nothing to save

    serve(channel, lifeline, host)


class _Service:
    """Joins, and answers requests beside each other."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._driver: RayDriver | None = None
        self._doing: set[asyncio.Task[None]] = set()

    def hear(self, message: bytes) -> None:
        match read_request(message):
            case JoinCluster() as join:
                self._join(join)
            case RayRequest() as request:
                task = asyncio.create_task(self._answer(request))
                self._doing.add(task)
                task.add_done_callback(self._doing.discard)

    def _join(self, join: JoinCluster) -> None:
        try:
            self._driver = RayDriver(join)
        except Exception as error:  # noqa: BLE001 - Ray has many ways to say it
            self._tell(NotJoined(why=_words(error)))
        else:
            self._tell(Joined(cluster=self._driver.cluster))

    async def _answer(self, request: RayRequest) -> None:
        assert self._driver is not None
        self._tell(await self._driver.answer(request))

    def _tell(self, news: RayNews) -> None:
        self._send(encoded(news))


class RayDriver:
    """A Ray cluster that this process has joined."""

    def __init__(self, join: JoinCluster) -> None:
        """Join it.

        Raises:
            Exception: it cannot be.
        """
        _look_at(join.address)
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # else it tells others of its use
        os.environ.pop("RAY_ADDRESS", None)  # it would stand in the place of "auto", and "local" starts a cluster
        self._ray: Any = importlib.import_module("ray")
        self._ray.init(address=join.address, namespace=join.namespace, log_to_driver=False, logging_level="ERROR")
        self._actor: Any = self._ray.remote(AttemptActor)
        self._handles: dict[str, Any] = {}
        self._creating: dict[str, asyncio.Future[Any]] = {}
        self.cluster: str = self._ray.get_runtime_context().get_session_name()

    async def answer(self, request: RayRequest) -> RayAnswer:
        """Do something, and say what came of it."""
        try:
            return RayAnswer(number=request.number, value=await self._done(request))
        except Exception as error:  # noqa: BLE001 - of Ray, of gRPC, and of what lies below
            trouble = await self._trouble(error)
            if trouble in ("died", "node died"):
                self._handles.pop(request.name, None)
            return RayAnswer(number=request.number, trouble=trouble, why=_words(error))

    async def _trouble(self, error: Exception) -> Trouble:
        """What an error means; ``away`` where nothing follows from it."""
        errors, trouble = self._ray.exceptions, "away"
        match error:
            case _Unknown():
                trouble = "unknown"
            case _NeverTaken() | errors.RuntimeEnvSetupError() | errors.ActorUnschedulableError():
                trouble = "failed"
            case errors.OutOfMemoryError():
                trouble = "died"
            case errors.ActorDiedError():
                trouble = await self._death(error)
            case errors.RayTaskError():
                trouble = _of_actor(getattr(error, "cause", None))
            case _:
                pass
        return trouble

    async def _death(self, error: Any) -> Trouble:
        """Whether the node of an actor that has died is gone, too, by Ray's own record of it."""
        try:
            actor = await asyncio.to_thread(self._state.actors, error.actor_id)
            nodes = await asyncio.to_thread(self._ray.nodes)
        except Exception:  # noqa: BLE001 - it is asked again
            return "away"
        cause = actor["DeathCause"].actor_died_error_context if actor else None
        node = actor["Address"]["NodeID"] if actor else None
        has_lost_node = any(each["NodeID"] == node and not each["Alive"] for each in nodes)
        return "node died" if has_lost_node or (cause and cause.reason == cause.NODE_DIED) else "died"

    async def _done(self, request: RayRequest) -> Any:
        match request.verb:
            case "create":
                return await self._created(request)
            case "call":
                return await self._called(request)
            case "kill":
                await self._until_created(request.name)
                handle = await self._handle(request.name)
                self._handles.pop(request.name, None)
                return await asyncio.to_thread(self._ray.kill, handle)
            case "names":
                return await asyncio.to_thread(self._ray.util.list_named_actors)
            case "ping":
                return None
            case "nodes":
                return await asyncio.to_thread(self._resources)

    async def _called(self, request: RayRequest) -> Any:
        await self._until_created(request.name)
        was_known = request.name in self._handles
        handle = await self._handle(request.name)
        try:
            return await getattr(handle, request.method).remote(*request.args)
        except self._ray.exceptions.ActorDiedError:
            if not was_known:
                raise
            self._handles.pop(request.name, None)  # that of a pool may have ended, and another driver made the next one
            try:
                again = await self._handle(request.name)
            except _Unknown:
                again = handle
            if again == handle:
                raise
        return await getattr(again, request.method).remote(*request.args)

    async def _until_created(self, name: str) -> None:
        """Wait while an actor of this name is made: what is asked of it then is not unknown."""
        if name in self._creating:
            await asyncio.wait([self._creating[name]])

    async def _created(self, request: RayRequest) -> ActorPlace:
        name = request.name
        if name not in self._creating:  # that of a pool may be asked for twice
            self._creating[name] = asyncio.ensure_future(asyncio.to_thread(self._create, request))
            self._creating[name].add_done_callback(lambda _: self._creating.pop(name))
        handle = self._handles[name] = await asyncio.shield(self._creating[name])
        node, pid = await handle.place.remote(*request.args)
        return ActorPlace(node=node, pid=pid)

    def _create(self, request: RayRequest) -> Any:
        """In a thread.

        Raises:
            _NeverTaken: it can never be.
        """
        options = request.options
        assert options is not None
        try:
            actor = self._actor.options(
                name=request.name,
                lifetime="detached",
                get_if_exists=True,
                max_restarts=0,
                max_task_retries=0,
                max_concurrency=_AT_ONCE,
                num_cpus=options.cpu,
                num_gpus=options.gpu,
                memory=options.memory or None,
                resources=options.custom or None,
                runtime_env=None if options.runtime_env is None else json.loads(options.runtime_env),
            )
            own = request.name if request.name in request.args else ""
            return actor.remote(options.unclaimed_seconds, options.idle_seconds, options.resources, own)
        except (TypeError, ValueError) as error:
            if isinstance(error, self._ray.exceptions.RayError):  # such as: another was faster
                raise
            raise _NeverTaken(_words(error) if options.runtime_env is None else _WITH_RUNTIME_ENV) from None

    async def _handle(self, name: str) -> Any:
        """Raises _Unknown."""
        if name not in self._handles:
            try:
                self._handles[name] = await asyncio.to_thread(self._ray.get_actor, name)
            except ValueError:
                raise _Unknown(f"There is no actor {name}.") from None
        return self._handles[name]

    @property
    def _state(self) -> Any:
        return importlib.import_module("ray._private.state")

    def _resources(self) -> list[NodeResources]:
        free: dict[str, dict[str, float]] = self._state.available_resources_per_node()
        return [
            NodeResources(node=each["NodeID"], total=each["Resources"], free=free.get(each["NodeID"], {}))
            for each in self._ray.nodes()
            if each["Alive"]
        ]


def _look_at(address: str) -> None:
    """Raises ConnectionError: nothing is there. Ray itself waits for a minute."""
    host, _, port = address.rpartition(":")
    if not host:  # auto
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_LOOK_SECONDS).close()
    except OSError as error:
        raise ConnectionError(f"nothing answers at {address}: {error.strerror or error}") from None


def _of_actor(cause: object) -> Trouble:
    """What an error that an actor has raised means."""
    match cause:
        case StaleOwner():
            return "stale"
        case UnknownAttempt():
            return "unknown"
        case _:
            return "failed"


class _NeverTaken(Exception):
    """Ray would never take it."""


_WITH_RUNTIME_ENV = "its runtime_env, or what else the step needs, is wrong; it may be secret, and is not shown"


class _Unknown(Exception):
    """There is no such actor."""


def _words(error: BaseException) -> str:
    """The first line of what an error says: Ray's have whole logs."""
    lines = str(error).strip().splitlines()
    if isinstance(error, _Unknown | _NeverTaken):
        return lines[0]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
