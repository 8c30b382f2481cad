"""What passes between a worker and the process that has joined a Ray cluster for it."""

from functools import cache
from typing import Any, Literal

import msgspec
from msgspec import Struct

RayVerb = Literal["create", "call", "kill", "names", "nodes", "ping"]

Trouble = Literal["unknown", "died", "node died", "stale", "away", "failed"]
"""Why a request came to nothing.

``unknown``: there is no such actor. ``died``: its process has ended; ``node died``: with its node. ``stale``: another
process owns the execution by now. ``away``: the cluster, or the actor, does not answer now. ``failed``: Ray refuses it
for good, and all the rest.
"""


class ActorOptions(Struct, frozen=True, kw_only=True):
    """What an actor gets of the cluster. ``memory``: bytes, 0: not said. ``runtime_env``: Ray's, as JSON; None: none.

    That may have secrets: it stands in no argument of a program and in no answer.

    ``unclaimed_seconds``, ``idle_seconds``, ``resources``: as of
    :class:`ia_modules.engines.attempt_actor.AttemptActor`.
    """

    cpu: float
    gpu: float
    memory: int
    custom: dict[str, float]
    unclaimed_seconds: float
    idle_seconds: float
    resources: dict[str, float]
    runtime_env: str | None


class JoinCluster(Struct, frozen=True, kw_only=True, tag=True):
    """Join it; the first message.

    Attributes:
        address: ``HOST:PORT`` of the cluster, or ``auto``.
        namespace: where the names of actors are.
    """

    address: str
    namespace: str


class RayRequest(Struct, frozen=True, kw_only=True, tag=True):
    """Do something.

    ``create`` an actor, unless there is one of that name, have it take an attempt, and give its place when it runs;
    ``call`` a method of one; ``kill`` one; give all ``names``; give what the ``nodes`` have;
    ``ping``: only answer.

    Attributes:
        name: of the actor.
        method, args: of a call; of ``create`` the attempt.
    """

    number: int
    verb: RayVerb
    name: str = ""
    options: ActorOptions | None = None
    method: str = ""
    args: tuple[Any, ...] = ()


class RayAnswer(Struct, frozen=True, kw_only=True, tag=True):
    """What came of a request; ``trouble`` None: it is done."""

    number: int
    value: Any = None
    trouble: Trouble | None = None
    why: str = ""


class Joined(Struct, frozen=True, kw_only=True, tag=True):
    """The cluster is joined. ``cluster``: which one, for as long as it lives."""

    cluster: str


class NotJoined(Struct, frozen=True, kw_only=True, tag=True):
    """It could not be."""

    why: str


class ActorPlace(Struct, frozen=True, kw_only=True, array_like=True):
    """Where an actor runs."""

    node: str
    pid: int


class PoolFacts(Struct, frozen=True, array_like=True):
    """How the actor of a pool stands; as :meth:`ia_modules.engines.attempt_actor.AttemptActor.facts`."""

    node: str
    pid: int
    resources: dict[str, float]
    attempts: list[str]


class NodeResources(Struct, frozen=True, kw_only=True, array_like=True):
    """What one living node has, by Ray's names: ``CPU``, ``GPU``, ``memory`` in bytes, and its own."""

    node: str
    total: dict[str, float]
    free: dict[str, float]


RayNews = RayAnswer | Joined | NotJoined


def encoded(message: JoinCluster | RayRequest | RayNews) -> bytes:
    return msgspec.msgpack.encode(message)


def read_request(message: bytes) -> JoinCluster | RayRequest:
    return _decoder(JoinCluster | RayRequest).decode(message)


def read_news(message: bytes) -> RayNews:
    return _decoder(RayNews).decode(message)


@cache
def _decoder(kind: Any) -> "msgspec.msgpack.Decoder[Any]":
    return msgspec.msgpack.Decoder(kind)
