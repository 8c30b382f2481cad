"""A cluster in this process: it carries out remote calls in tasks that outlive whoever began them.

Each call is made by a real host, which sends again what was not answered, as it may over a connection that broke.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from contextvars import Context
from typing import Any

from ia_modules.errors import StepLost
from ia_modules.models import JsonText, StepExecutionId, StepPlace
from ia_modules.pipeline.code import LoadedPipeline, load_pipeline
from ia_modules.pipeline.current import current
from ia_modules.pipeline.executor import LocalExecutor
from ia_modules.pipeline.hosted_code import HostedCode
from ia_modules.pipeline.loader import load
from ia_modules.pipeline.remote_calls import (
    AttemptBegan,
    AttemptEnded,
    BeginCall,
    CancelCall,
    CodeChanged,
    HostRequest,
    OwnersDesk,
    ReadTime,
    ReadWithin,
    RemoteCall,
    Reply,
    ToOwner,
    WriteNews,
    body_of,
)
from ia_modules.pipeline.remote_failures import RemoteFailure
from ia_modules.pipeline.remote_host import RemoteHost
from ia_modules.pipeline.step_modules import StepModules
from tests.unit.pipeline.factories import document, path, task


class Actor:
    """Makes one call, and keeps what came of it."""

    def __init__(self, call: RemoteCall) -> None:
        self.step_id = call.step_id
        self.ended: asyncio.Future[AttemptEnded] = asyncio.get_running_loop().create_future()
        self._desk: OwnersDesk | None = None
        self._unanswered: dict[int, HostRequest] = {}
        self._written: list[WriteNews] = []
        self._tasks = set[asyncio.Task[None]]()
        self._is_over = asyncio.Event()
        self._code = HostedCode(services=None)
        self._host = RemoteHost(self._hear, self._code)
        self._spawn(self._live(call))

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _live(self, call: RemoteCall) -> None:
        async with self._code:
            self._host.hear(BeginCall(call))
            await self._is_over.wait()
            await self._host.stop()

    def join(self, desk: OwnersDesk, *, repeats: bool) -> None:
        """Ask this owner from here on.

        Args:
            repeats: what was written already is written again first: its answer may have been lost.
        """
        self._desk = desk
        if repeats:
            for news in self._written:
                self._spawn(desk.record(news))
        for request in self._unanswered.values():
            self._spawn(self._answer(request, desk))

    def leave(self, desk: OwnersDesk) -> None:
        self._desk = None if self._desk is desk else self._desk

    def lose(self, reason: str) -> None:
        """Its node is gone."""
        if not self.ended.done():
            self.ended.set_exception(StepLost(self.step_id, reason))
            self.ended.exception()  # whether somebody waits for it or not
        self._die()

    async def stop(self) -> None:
        """Its owner wants it to be over."""
        self._host.hear(CancelCall())
        await asyncio.wait([self.ended])
        self._die()

    def _die(self) -> None:
        self._is_over.set()
        for number in self._unanswered:
            self._host.hear(Reply(number))

    def _hear(self, message: ToOwner) -> None:
        match message:
            case WriteNews() | ReadWithin() | ReadTime() if self._is_over.is_set():
                self._host.hear(Reply(message.number))
            case WriteNews() | ReadWithin() | ReadTime():
                self._unanswered[message.number] = message
                if self._desk is not None:
                    self._spawn(self._answer(message, self._desk))
            case AttemptEnded():
                if not self.ended.done():
                    self.ended.set_result(message)
            case AttemptBegan():
                pass
            case CodeChanged():
                raise AssertionError

    async def _answer(self, request: HostRequest, desk: OwnersDesk) -> None:
        try:
            match request:
                case WriteNews():
                    body = body_of(await desk.record(request))
                    self._written.append(request)
                case ReadWithin():
                    body = body_of(await desk.read_within(request.path))
                case ReadTime():
                    body = body_of(await desk.read_time())
            answer = Reply(request.number, body)
        except Exception as error:  # noqa: BLE001 - it is raised where it was asked for
            if desk.leaves:  # it is for the next owner
                return
            answer = Reply(request.number, failure=RemoteFailure.of(error))
        if self._desk is desk and self._unanswered.pop(request.number, None) is not None:
            self._host.hear(answer)


class Cluster:
    """What runs there, by the attempts.

    Attributes:
        calls: how often each step's code was called.
        gates: what steps wait for, by name.
        arrived: the steps that wait, as they come.
        released: the attempts whose ends are on record.
        has_room: an attempt waits for this before it begins.
        place: where it begins then.
    """

    def __init__(self, identity: str = "there") -> None:
        self.identity = identity
        self.actors: dict[StepExecutionId, Actor] = {}
        self.calls = Counter[str]()
        self.gates: dict[str, asyncio.Event] = {}
        self.arrived: asyncio.Queue[StepExecutionId] = asyncio.Queue()
        self.released: list[StepExecutionId] = []
        self.has_room = asyncio.Event()
        self.has_room.set()
        self.place = StepPlace(cluster=identity, node="node", pid=1, resources={"CPU": 1.0}, waited_seconds=0.0)
        CLUSTERS[identity] = self

    def gate(self, name: str) -> asyncio.Event:
        return self.gates.setdefault(name, asyncio.Event())

    def forget(self) -> None:
        """Nobody here knows of anything any more."""
        for actor in self.actors.values():
            actor.lose("It was shut down.")
        self.actors.clear()


CLUSTERS: dict[str, Cluster] = {}
"""By identity, for the code of steps."""


class OnCluster(LocalExecutor):
    """Has remote calls made on a cluster."""

    def __init__(self, there: Cluster | None, *, repeats: bool = False) -> None:
        super().__init__()
        self.there, self._repeats = there, repeats
        self._desks: list[OwnersDesk] = []

    @property
    def has_joined(self) -> bool:
        """Whether an owner has asked for something."""
        return bool(self._desks)

    @property
    def desk(self) -> OwnersDesk:
        """Of who asked last."""
        return self._desks[-1]

    @property
    def leaves(self) -> bool:
        """Whether an owner that asked for something leaves its execution to others."""
        return any(desk.leaves for desk in self._desks)

    @property
    def cluster(self) -> str | None:
        return None if self.there is None else self.there.identity

    async def execute_remote(
        self, call: RemoteCall, desk: OwnersDesk, *, timeout_seconds: float | None, rejoins: bool = False
    ) -> JsonText:
        assert self.there is not None
        actor = self.there.actors.get(call.step_execution_id)
        self._desks.append(desk)
        if rejoins and actor is None:
            raise StepLost(call.step_id, "Nobody there knows of it.")
        if actor is None:
            await desk.mark_elsewhere(self.there.identity)
            await self.there.has_room.wait()
            await desk.put_on_record(self.there.place)
            actor = self.there.actors[call.step_execution_id] = Actor(call)
        actor.join(desk, repeats=self._repeats)
        try:
            ended = await asyncio.shield(actor.ended)
        except asyncio.CancelledError:
            if not desk.leaves:
                await actor.stop()
            raise
        finally:
            actor.leave(desk)
        if ended.failure is not None:
            raise ended.failure.as_exception()
        assert ended.result is not None
        return ended.result

    def recorded(self, ids: Iterable[StepExecutionId]) -> None:
        assert self.there is not None
        for id_ in ids:
            self.there.released.append(id_)
            if (actor := self.there.actors.pop(id_, None)) is not None:
                actor.lose("Nobody asks for it any more.")


# Code of steps


async def trains(data: Mapping[str, Any]) -> dict[str, Any]:
    """Calls something, waits to be let through, and calls something else."""
    here, there = current.context, CLUSTERS[data["cluster"]]
    there.calls["trains"] += 1
    here.log("begins")
    here.usage(model="small", input_tokens=10)
    first = await here.step("first", counted, data["cluster"], 1)
    await there.arrived.put(here.step_execution_id)
    here.log("waits")
    second = await here.step("second", waits, data["cluster"])
    here.log("goes on")
    third = await here.step("third", counted, data["cluster"], 3)
    return {"sum": first + second + third}


async def counted(cluster: str, number: int) -> int:
    CLUSTERS[cluster].calls[f"counted {number}"] += 1
    current.context.usage(model="small", input_tokens=number)
    return number


async def waits(cluster: str) -> int:
    CLUSTERS[cluster].calls["waits"] += 1
    await CLUSTERS[cluster].gate("go").wait()
    return 2


async def is_lost(data: Mapping[str, Any]) -> dict[str, Any]:
    """Loses its node; where it makes progress, after something new has completed."""
    here, there = current.context, CLUSTERS[data["cluster"]]
    there.calls["is_lost"] += 1
    if data["progresses"]:
        for number in range(here.attempt):
            await here.step(f"part-{number}", counted, data["cluster"], number)
    if here.attempt > data["times"]:
        return {"attempt": here.attempt}
    there.actors[here.step_execution_id].lose("Out of memory.")
    await asyncio.Event().wait()
    raise AssertionError


async def goes_on(data: Mapping[str, Any]) -> dict[str, Any]:
    """Runs where its execution does."""
    return {"sum": data["sum"] + 100}


async def starts(data: Mapping[str, Any]) -> dict[str, Any]:
    return {}


async def waits_here(data: Mapping[str, Any]) -> dict[str, Any]:
    await CLUSTERS[data["cluster"]].gate("here").wait()
    return {}


def pipeline_elsewhere(function: str = "trains", *, beside: str | None = None, **keys: Any) -> LoadedPipeline:
    """One step that runs elsewhere, and one after it that does not.

    Args:
        beside: what another step does here at the same time.
    """
    work = task("work", step_class=function, module=__name__, isolation="process", **keys)
    after = task("after", step_class="goes_on", module=__name__)
    steps = [work, after] if function == "trains" else [work]
    paths = [path("work", "after")] if function == "trains" else []
    if beside is not None:
        start = task("start", step_class="starts", module=__name__)
        steps = [start, *steps, task("beside", step_class=beside, module=__name__)]
        paths += [path("start", "work"), path("start", "beside")]
    written = document(*steps, paths=paths)
    return load_pipeline(load(written).definition, StepModules())
