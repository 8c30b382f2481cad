"""The server's settings, checked before anything is opened."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from ia_modules.engines.ray import RayCluster
from ia_modules.errors import IAModulesError
from ia_modules.pipeline.allowed_code import AllowedCode
from ia_modules.pipeline.capture import CaptureRules
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.tracker.tracing import TraceWriter
from showcase_app.backend.targets import Targets


class Role(StrEnum):
    """What a caller may do: look; read and answer what it is asked, and nothing else; or everything."""

    VIEWER = "viewer"
    APPROVER = "approver"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A secret that identifies a caller. Its ``repr`` never contains the secret."""

    name: str
    role: Role
    key: str = field(repr=False)


class InvalidKeys(IAModulesError, ValueError):
    """``IA_MODULES_API_KEYS`` is not understood. Says where, never what stands there: it may be a key."""

    def __init__(self, position: int, problem: str) -> None:
        super().__init__(f"IA_MODULES_API_KEYS: entry {position} {problem}. Expected: name[:role]=key,... ({_ROLES}).")
        self.position = position


class InvalidHosts(IAModulesError, ValueError):
    """A name in ``IA_MODULES_HOSTS`` that no ``Host`` header can carry."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"IA_MODULES_HOSTS: {name!r} is no host. Expected names or addresses without port: a.example,b"
        )
        self.name = name


class InvalidRootPath(IAModulesError, ValueError):
    """A path below which the server cannot be."""

    def __init__(self, root_path: str) -> None:
        super().__init__(
            f"The root path {root_path!r} cannot be used. Expected one of letters, digits, '.', '_', '~' and '-', such "
            f"as /flows, whose first part is none of the server's own: {', '.join(sorted(OWN_PATHS))}."
        )
        self.root_path = root_path


class UnsafeBind(IAModulesError, ValueError):
    """The server would be reachable from other machines, and there is no key that would guard it."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"The host {host!r} is not this machine's loopback, and no key says who may use the server. Expected "
            "127.0.0.1, ::1 or localhost, or keys: IA_MODULES_API_KEYS=name=key ia-modules serve --host ... "
            "Without keys, use a tunnel from the other machine: ssh -L 5555:127.0.0.1:5555 ..."
        )
        self.host = host


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a server runs: its database, its address, its keys, its worker.

    Attributes:
        keys: who may use the server; none = everybody who reaches it, which is only this machine.
        hosts: names that requests may ask for besides loopback's and ``host``.
        root_path: the path below which a proxy has the server, such as ``/flows``; empty = none. The proxy may take it
            off the requests or leave it on.
        targets: what the metrics should be.
        slots: how many executions the server itself runs at once; 0 = other workers run them.
        lease_seconds: how long the server may be silent before what it runs is taken over.
        grace_seconds: how long what runs may go on when the server stops; then it is handed back.
        blocked_limit_seconds: how long a step may block the event loop before what runs is given to others; None = ten
            leases.
        load_limit_seconds: how long the code of a pipeline may take to load before it is left to others.
        capture: what goes on record of the steps' own logging and printing; None = as the environment says.
        pipeline_folders: their pipeline files are registered when the server starts.
        allowed: the code that stored pipelines may use; None = what the environment says.
        services: what the steps find that run here, beside the tracker; whoever opened them closes them.
        traces: what the executions that run here are written to as spans; None = nothing.
        trace_url: where people find traces, with ``{trace_id}`` in it; None = nowhere that is known.
        ray: the cluster that steps run on which say so; None = there is none.
        ray_isolated: steps that only want a process of their own run there, too.
        ray_fallback: without one, they run in processes of this machine, where they may.
        run_file: the database is a run file that was looked at: it is only read, every request that would change
            something is refused, and nothing runs. With no slots and no folders.

    Raises:
        UnsafeBind: other machines can reach it, and there are no keys.
        InvalidRootPath
    """

    database_url: str
    host: str = "127.0.0.1"
    port: int = 5555
    keys: tuple[ApiKey, ...] = ()
    hosts: frozenset[str] = frozenset()
    root_path: str = ""
    targets: Targets = field(default_factory=Targets)
    slots: int = 4
    lease_seconds: float = 15.0
    grace_seconds: float = 10.0
    blocked_limit_seconds: float | None = None
    load_limit_seconds: float = 60.0
    capture: CaptureRules | None = None
    pipeline_folders: tuple[Path, ...] = ()
    allowed: AllowedCode | None = None
    services: ServiceRegistry | None = None
    traces: TraceWriter | None = None
    trace_url: str | None = None
    ray: RayCluster | None = None
    ray_isolated: bool = False
    ray_fallback: bool = False
    run_file: bool = False

    def __post_init__(self) -> None:
        for host in (self.host, *sorted(self.hosts)):
            if not self.keys and not is_loopback(host):
                raise UnsafeBind(host)
        own = self.root_path.split("/", 2)[1:2]
        if not _ROOT_PATH.fullmatch(self.root_path) or OWN_PATHS.intersection(own):
            raise InvalidRootPath(self.root_path)


OWN_PATHS = frozenset({"api", "assets", "docs", "health", "metrics", "openapi.json", "ws"})
"""First parts of addresses that are no pages."""
_ROOT_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[\w.~-]+)*", re.ASCII)
_ROLES = "roles: " + ", ".join(Role)
_NAME = re.compile(r"[\w.@+-]{1,100}")
_KEY = re.compile(r"[!-~]{16,1000}")  # what a header can carry: printable ASCII without spaces; too long to be guessed


def parse_keys(text: str) -> tuple[ApiKey, ...]:
    """The keys in ``name[:role]=key,…``, of 16 characters at least; a key that names no role is an operator's.

    One name may have several keys, so that a new one can be handed out before the old one is taken away.

    Raises:
        InvalidKeys
    """
    keys: list[ApiKey] = []
    for position, entry in enumerate(_entries(text), start=1):
        who, equals, key = entry.partition("=")
        name, colon, role = who.strip().partition(":")
        if not equals or not _NAME.fullmatch(name):
            raise InvalidKeys(position, "does not begin with a name and '='")
        if colon and role not in tuple(Role):
            raise InvalidKeys(position, f"gives {name!r} a role that does not exist")
        if not _KEY.fullmatch(key):
            expected = "16 to 1,000 printable ASCII characters without spaces, such as openssl rand -hex 16 prints"
            raise InvalidKeys(position, f"gives {name!r} a key that is not {expected}")
        if any(key == other.key for other in keys):
            raise InvalidKeys(position, f"gives {name!r} a key that another entry has")
        keys.append(ApiKey(name=name, role=Role(role) if colon else Role.OPERATOR, key=key))
    return tuple(keys)


def parse_hosts(text: str) -> frozenset[str]:
    """The names in ``a.example,b``, in lower case.

    Raises:
        InvalidHosts
    """
    hosts = frozenset(name.lower().strip("[]") for name in _entries(text))
    for name in hosts:
        if not re.fullmatch(r"[a-z0-9._-]+", name) and not _is_address(name):
            raise InvalidHosts(name)
    return hosts


def is_loopback(host: str) -> bool:
    """Whether a host name or address, without port, always means this machine."""
    return host.lower() == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _entries(text: str) -> Iterable[str]:
    return (entry.strip() for entry in text.split(",") if entry.strip())
