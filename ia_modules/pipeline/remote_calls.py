"""What passes between the owner of an attempt and the process that makes it, which may be on another machine.

    owner                     host
    BeginCall             ──→
                          ←──  AttemptBegan, when its code is loaded; or CodeChanged, where other code is
                          ←──  WriteNews, ReadWithin, ReadTime: what it logs, emits, uses and calls within itself
    Reply                 ──→
    CancelCall            ──→
                          ←──  AttemptEnded, with the result or the failure

A call is the name of its code with its JSON, and no object: nothing here is pickled. What it records is written by its
owner, under the owner's lease, so the host needs no database. All of it may be sent again after a loss: lines have ids,
and of usage the sum is told.
"""

import asyncio
import struct
from collections.abc import Callable
from datetime import datetime
from functools import cache
from itertools import count
from typing import Any, Literal, Protocol, TypeVar

import msgspec
from msgspec import Raw, Struct

from ia_modules.models import (
    ExecutionId,
    JsonText,
    LogLevel,
    RunPath,
    StepExecutionId,
    StepExecutionRecord,
    StepPlace,
    new_id,
)
from ia_modules.pipeline.capture import CaptureRules
from ia_modules.pipeline.remote_failures import RemoteFailure
from ia_modules.transitions import Expiry, LogLine, NewInteraction, StepStart, StepUpdate

T = TypeVar("T")


class RemoteCode(Struct, frozen=True, kw_only=True):
    """Code as another process imports it.

    Attributes:
        folder: where its module lies; None: it is installed, or on the path.
        allowed: patterns of module names that may be imported from elsewhere; None: every one.
        inputs: the names of the inputs that a function is called with; None: it is given the state.
        parameters: the names of the pipeline's parameters.
        has_fallback: its class has a method ``fallback``.
    """

    module: str
    name: str
    folder: str | None = None
    allowed: tuple[str, ...] | None = None
    inputs: tuple[str, ...] | None = None
    parameters: tuple[str, ...] = ()
    has_fallback: bool = False


class PoolNeeds(Struct, frozen=True):
    """A warm process, which many attempts use.

    Attributes:
        name: ``SLUG/VERSION/POOL``; no other pool has it, of whatever pipeline or version.
        max_concurrency: how many attempts run there at the same time.
        idle_seconds: how long it is kept when it has nothing to do.
    """

    name: str
    max_concurrency: int
    idle_seconds: float

    @property
    def is_shared(self) -> bool:
        """Whether more than one attempt runs there: then no one of them can be ended with its process."""
        return self.max_concurrency > 1


class Needs(Struct, frozen=True, kw_only=True):
    """What an attempt needs of where it runs.

    Attributes:
        place: a process of this machine, or one of a Ray cluster.
        memory: bytes; 0: not said.
        custom: other resources of a cluster, by name.
        may_fall_back: it may run in a process of this machine where there is no cluster.
        may_move: it only wants a process of its own, wherever that is.
        pool: the warm process that it runs in; None: any.
        runtime_env: the path of a file of the owner's machine with Ray's; None: there is none.
    """

    place: Literal["process", "ray"] = "process"
    cpu: float = 1.0
    gpu: float = 0.0
    memory: int = 0
    custom: dict[str, float] = {}
    may_fall_back: bool = True
    may_move: bool = False
    pool: PoolNeeds | None = None
    runtime_env: str | None = None


class RemoteCall(Struct, frozen=True, kw_only=True):
    """An attempt that is to be made elsewhere.

    Attributes:
        fingerprint: what the owner has loaded of the code's folder: the digest of each module.
        data: its input; ``item``: the item itself, where a function without inputs is called with it.
        failure: what the fallback is for; None: the step itself is called.
        worker: who owns the execution; stands at what is called within the step.
        again_upto, drops_output: as in :class:`ia_modules.pipeline.inner.InnerLevel`.
        services: what makes the services of steps, as ``MODULE:NAME``; None: there are none.
        traceparent: what the attempt sends to others; None: nothing.
    """

    code: RemoteCode
    fingerprint: dict[str, str]
    execution_id: ExecutionId
    step_id: str
    step_execution_id: StepExecutionId
    iteration: int
    attempt: int
    rerun_of: ExecutionId | None
    within: RunPath
    item_key: str | None
    config: JsonText
    data: JsonText
    item: JsonText | None
    failure: RemoteFailure | None
    worker: str
    capture: CaptureRules
    again_upto: int
    drops_output: bool
    services: str | None
    traceparent: str | None
    needs: Needs = Needs()


class Desk(Protocol):
    """What the owner of an attempt does for the process that makes it. Everything may be called again."""

    async def record(self, news: "WriteNews") -> None:
        """Write it under the lease of the owner. What an earlier owner wrote already may come again.

        Raises:
            LeaseLost, DatabaseClosed: another owns the execution, or will: ``leaves`` says so from here on. What runs
                elsewhere is not told of it: its news are for that one.
            TrackerError, DatabaseError: as :meth:`ia_modules.pipeline.journal.Journal.record`.
        """
        ...

    async def read_within(self, path: RunPath) -> list[StepExecutionRecord]:
        """What has been called within a run of this execution."""
        ...

    async def read_time(self) -> datetime:
        """The journal's."""
        ...


class OwnersDesk(Desk, Protocol):
    """The desk of who runs the execution."""

    @property
    def leaves(self) -> bool:
        """Whether the owner leaves the execution to others, who go on with it: what runs elsewhere is left alone then.

        False also when an attempt is stopped because its execution ends or is cancelled.
        """
        ...

    def facts(self) -> "DeskFacts": ...

    async def mark_elsewhere(self, cluster: str) -> None:
        """Put on record that the attempt runs on a Ray cluster and outlives its owner; before any of it begins there.

        What it calls from here on is on record as running there, too. The same cluster again changes nothing, and says
        that the lease still stands.

        Args:
            cluster: its identity: who is joined to the same one has the same.

        Raises:
            TrackerError, DatabaseError: as :meth:`record`; nothing may begin.
        """
        ...

    async def put_on_record(self, place: StepPlace) -> None:
        """Put on record where on a cluster the attempt runs, before any of it begins there. The last one stands.

        Raises:
            TrackerError, DatabaseError: as :meth:`record`; nothing may begin.
        """
        ...


class DeskFacts(Struct, frozen=True, kw_only=True):
    """What of a :class:`RemoteCall` the owner's desk knows.

    ``epoch``: of the owner's lease; who has a higher one owns the execution later.
    """

    epoch: int
    worker: str
    capture: CaptureRules
    again_upto: int
    drops_output: bool


class BeginCall(Struct, frozen=True, tag=True):
    """Make this attempt."""

    call: RemoteCall


class Reply(Struct, frozen=True, tag=True):
    """What came of a request; ``failure`` None: nothing failed."""

    number: int
    body: Raw = Raw(b"null")
    failure: RemoteFailure | None = None


class CancelCall(Struct, frozen=True, tag=True):
    """Stop what runs."""


class AttemptBegan(Struct, frozen=True, tag=True):
    """The code is loaded, and called now."""


class CodeChanged(Struct, frozen=True, tag=True):
    """Other code is loaded here. ``module``: one that differs."""

    module: str


class WriteNews(Struct, frozen=True, tag=True):
    """To :meth:`Desk.record`: as in a :class:`ia_modules.transitions.Transition`."""

    number: int
    starts: tuple[StepStart, ...]
    updates: tuple[StepUpdate, ...]
    logs: tuple[LogLine, ...]
    asks: tuple[NewInteraction, ...]
    expires: tuple[Expiry, ...]


def line_of(call: RemoteCall, level: LogLevel, message: str) -> WriteNews:
    """One line of the log of an attempt, from its owner itself."""
    line = LogLine(log_id=new_id(), message=message, level=level, step_execution_id=call.step_execution_id)
    return WriteNews(0, (), (), (line,), (), ())


class ReadWithin(Struct, frozen=True, tag=True):
    """To :meth:`Desk.read_within`."""

    number: int
    path: RunPath


class ReadTime(Struct, frozen=True, tag=True):
    """To :meth:`Desk.read_time`."""

    number: int


class AttemptEnded(Struct, frozen=True, tag=True):
    """What came of the attempt.

    Attributes:
        result: what the code gave, as JSON; None: it failed, or was cancelled.
        failure: why it failed; None with no result: it was cancelled.
        is_clean: nothing of it runs any more.
        is_spent: its process can do nothing else either, and is to be replaced.
    """

    result: JsonText | None = None
    failure: RemoteFailure | None = None
    is_clean: bool = True
    is_spent: bool = False


ToHost = BeginCall | Reply | CancelCall
ToOwner = AttemptBegan | CodeChanged | WriteNews | ReadWithin | ReadTime | AttemptEnded
HostRequest = WriteNews | ReadWithin | ReadTime


def encoded(message: ToHost | ToOwner) -> bytes:
    return msgspec.json.encode(message)


def read_by_host(message: bytes) -> ToHost:
    return _decoder(ToHost).decode(message)


def read_by_owner(message: bytes) -> ToOwner:
    return _decoder(ToOwner).decode(message)


def numbered(number: int, message: bytes) -> bytes:
    """A message of one of the attempts that a process makes at the same time."""
    return _NUMBER.pack(number) + message


def read_number(message: bytes) -> tuple[int, bytes]:
    """Of which attempt a message is, and the message."""
    return _NUMBER.unpack_from(message)[0], message[_NUMBER.size :]


_NUMBER = struct.Struct("!Q")


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


class Requests:
    """What a host has asked of its owner, and what has not been answered yet."""

    def __init__(self, send: Callable[[HostRequest], None]) -> None:
        """``send``: takes each request as it is made."""
        self._send, self._numbers = send, count(1)
        self._open: dict[int, tuple[HostRequest, asyncio.Future[Reply]]] = {}

    async def ask(self, request: Callable[[int], HostRequest], kind: type[T]) -> T:
        """What the owner answers; ``request`` is given its number.

        Raises:
            Exception: what happened there.
        """
        number = next(self._numbers)
        made, answered = request(number), asyncio.get_running_loop().create_future()
        self._open[number] = made, answered
        try:
            self._send(made)
            answer = await answered
        finally:
            self._open.pop(number, None)
        if answer.failure is not None:
            raise answer.failure.as_exception()
        return read_body(answer.body, kind)

    def hear(self, reply: Reply) -> None:
        """Take in an answer; one that was given before is dropped."""
        _, answered = self._open.pop(reply.number, (None, None))
        if answered is not None and not answered.done():
            answered.set_result(reply)

    def open_after(self, number: int) -> list[HostRequest]:
        """Those with higher numbers that are not answered."""
        return [request for each, (request, _) in self._open.items() if each > number]


def body_of(value: Any) -> Raw:
    """An answer as it is sent."""
    return Raw(msgspec.json.encode(value))


def read_body(body: Raw, kind: type[T]) -> T:
    return _decoder(kind).decode(body)


async def reply_to(request: HostRequest, desk: Desk) -> Reply:
    """Have done what a host asks for; what fails is raised where it was asked for."""
    try:
        match request:
            case WriteNews():
                body = await desk.record(request)
            case ReadWithin():
                body = await desk.read_within(request.path)
            case ReadTime():
                body = await desk.read_time()
    except Exception as error:  # noqa: BLE001 - it is raised where it was asked for
        return Reply(request.number, failure=RemoteFailure.of(error))
    return Reply(request.number, body_of(body))
