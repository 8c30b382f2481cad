"""What the server is told when it starts, checked before anything is opened."""

import ipaddress
from dataclasses import dataclass

from ia_modules.errors import IAModulesError


class UnsafeBind(IAModulesError, ValueError):
    """The server would be reachable from other machines, and there are no keys yet that would guard it."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"The host {host!r} is not this machine's loopback, and the server has no keys yet to tell who may read: "
            "expected 127.0.0.1, ::1 or localhost. From another machine, use a tunnel: ssh -L 5555:127.0.0.1:5555 ..."
        )
        self.host = host


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Raises :class:`UnsafeBind` for a host that other machines can reach."""

    database_url: str
    host: str = "127.0.0.1"
    port: int = 5555

    def __post_init__(self) -> None:
        if not is_loopback(self.host):
            raise UnsafeBind(self.host)


def is_loopback(host: str) -> bool:
    """Whether a host name or address, without port, always means this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
