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

from ia_modules.engines.attempt_actor import AttemptActor, StaleOwner
from ia_modules.engines.ray_messages import (
    ActorPlace,
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
_AT_ONCE = 100  # calls of one actor; a few are made


def main(channel: int, lifeline: int, address: str, namespace: str, runtime_env: str | None) -> None:
    """Serve the owner until it closes the channel, or the cluster is gone.

    Args:
        channel, lifeline: of :func:`ia_modules.pipeline.child_main.serve`.
        address: ``HOST:PORT`` of the cluster, or ``auto``.
        namespace: where the names of actors are.
        runtime_env: Ray's, as JSON; None: none.
    """

    @asynccontextmanager
    async def host(send: Send) -> AsyncGenerator[Hear]:
        def tell(news: RayNews) -> None:
            send(encoded(news))

        try:
            driver = RayDriver(address, namespace, None if runtime_env is None else json.loads(runtime_env))
        except Exception as error:  # noqa: BLE001 - Ray has many ways to say it
            tell(NotJoined(why=_words(error)))
            yield lambda message: None
            return
        tell(Joined(cluster=driver.cluster))
        doing: set[asyncio.Task[None]] = set()

        async def do(request: RayRequest) -> None:
            tell(await driver.answer(request))

        def hear(message: bytes) -> None:
            task = asyncio.create_task(do(read_request(message)))
            doing.add(task)
            task.add_done_callback(doing.discard)

        yield hear
        os._exit(0)  # Ray's own end takes seconds, and has nothing to save

    serve(channel, lifeline, host)


class RayDriver:
    """A Ray cluster that this process has joined."""

    def __init__(self, address: str, namespace: str, runtime_env: dict[str, Any] | None) -> None:
        """Join it.

        Raises:
            Exception: it cannot be.
        """
        _look_at(address)
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # else it tells others of its use
        self._ray: Any = importlib.import_module("ray")
        self._ray.init(address=address, namespace=namespace, log_to_driver=False, logging_level="ERROR")
        self._actor: Any = self._ray.remote(AttemptActor)
        self._runtime_env = runtime_env
        self._handles: dict[str, Any] = {}
        self._nodes: dict[str, str] = {}  # of actors, by name
        self.cluster: str = self._ray.get_runtime_context().get_session_name()

    async def answer(self, request: RayRequest) -> RayAnswer:
        """Do something, and say what came of it."""
        errors = self._ray.exceptions
        trouble: Trouble
        try:
            return RayAnswer(number=request.number, value=await self._done(request))
        except _Unknown:
            return RayAnswer(number=request.number, trouble="unknown", why=f"There is no actor {request.name}.")
        except errors.ActorUnavailableError as error:
            trouble, why = "away", error
        except errors.RayActorError as error:
            trouble, why = "node died" if await self._has_lost_node(request.name) else "died", error
            self._handles.pop(request.name, None)
        except errors.RayTaskError as error:
            trouble, why = "stale" if isinstance(error.cause, StaleOwner) else "failed", error
        except errors.RayError as error:
            trouble, why = "away", error
        except Exception as error:  # noqa: BLE001 - of gRPC, and of what lies below
            trouble, why = "away", error
        return RayAnswer(number=request.number, trouble=trouble, why=_words(why))

    async def _done(self, request: RayRequest) -> Any:
        match request.verb:
            case "create":
                return await self._created(request)
            case "call":
                handle = await self._handle(request.name)
                return await getattr(handle, request.method).remote(*request.args)
            case "kill":
                handle = await self._handle(request.name)
                self._handles.pop(request.name, None)
                return await asyncio.to_thread(self._ray.kill, handle)
            case "names":
                return await asyncio.to_thread(self._ray.util.list_named_actors)
            case "nodes":
                return await asyncio.to_thread(self._resources)

    async def _created(self, request: RayRequest) -> ActorPlace:
        options, name = request.options, request.name
        assert options is not None
        actor = self._actor.options(
            name=name,
            lifetime="detached",
            get_if_exists=True,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=_AT_ONCE,
            num_cpus=options.cpu,
            num_gpus=options.gpu,
            memory=options.memory or None,
            resources=options.custom or None,
            runtime_env=self._runtime_env,
        )
        handle = self._handles[name] = await asyncio.to_thread(actor.remote, options.unclaimed_seconds)
        return await self._place(name, handle)

    async def _handle(self, name: str) -> Any:
        """Raises _Unknown."""
        if name not in self._handles:
            try:
                self._handles[name] = await asyncio.to_thread(self._ray.get_actor, name)
            except ValueError:
                raise _Unknown from None
        return self._handles[name]

    async def _place(self, name: str, handle: Any) -> ActorPlace:
        node, pid = await handle.place.remote()
        self._nodes[name] = node
        return ActorPlace(node=node, pid=pid)

    async def _has_lost_node(self, name: str) -> bool:
        """Whether the node that an actor ran on is gone, as far as that is known."""
        nodes = await asyncio.to_thread(self._ray.nodes)
        return any(each["NodeID"] == self._nodes.get(name) and not each["Alive"] for each in nodes)

    def _resources(self) -> list[NodeResources]:
        state: Any = importlib.import_module("ray._private.state")
        free: dict[str, dict[str, float]] = state.available_resources_per_node()
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


class _Unknown(Exception):
    """There is no such actor."""


def _words(error: BaseException) -> str:
    """The first line of what an error says: Ray's have whole logs."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
