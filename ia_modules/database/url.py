"""Database URLs: parsed, and shown without a password."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from ia_modules.database.driver import Dialect
from ia_modules.errors import InvalidDatabaseUrl

MEMORY = ":memory:"

DEFAULT_URL, URL_VARIABLE = "sqlite:///ia_modules.db", "DATABASE_URL"
"""Which database everything uses that is told of none: that of the variable, else a file in the current folder."""

_EXPECTED = (
    "expected sqlite:///file.db, sqlite:////absolute/file.db, sqlite:///:memory: or postgresql://user@host:5432/name"
)
_HIDDEN = "***"
_SECRET = re.compile(r"pass(?!file)|pwd|secret|scram_\w*_key", re.IGNORECASE)
"""Options whose values are never shown: libpq's own, and likely misspellings of them."""

_IMPOSSIBLE = re.compile(r"[\0\ud800-\udfff]")
_ONLY_LIBPQ = {
    "gssencmode",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "tcp_user_timeout",
}
"""Options of libpq's own sockets. asyncpg does not know them and would send them to the server, which refuses."""

_OF_CONNECTION = {
    "application_name",
    "client_encoding",
    "database",
    "dbname",
    "gsslib",
    "host",
    "krbsrvname",
    "options",
    "passfile",
    "password",
    "port",
    "service",
    "servicefile",
    "sslnegotiation",
    "target_session_attrs",
    "user",
}
"""Options for asyncpg, besides all that begin with ssl; every other one is a setting of the server."""

_SETTING_IN_OPTIONS = r"\s*(?:-c\s*|--)([\w.-]+)=((?:\\.|[^\\\s])*)"
_SETTINGS_IN_OPTIONS = re.compile(rf"(?:{_SETTING_IN_OPTIONS})+\s*", re.DOTALL)

Pooler = Literal["transaction", "session"]
"""The mode of a pooler between this program and PostgreSQL: what a session belongs to one client for."""


@dataclass(frozen=True)
class DatabaseUrl:
    """A parsed database URL.

    Attributes:
        target: SQLite: the absolute path, or ``:memory:``. PostgreSQL: the URL for asyncpg, with its password.
        safe: the URL without its secrets.
        place: a path, or host and port, for messages.
        connect_timeout_seconds: from ``?connect_timeout=``; None when absent.
        settings: PostgreSQL; of the server, for each session, as ``?search_path=flows``.
        pooler: from ``?pooler=``; None: it is found out.
    """

    dialect: Dialect
    target: str = field(repr=False)
    safe: str
    place: str
    connect_timeout_seconds: float | None = None
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    pooler: Pooler | None = None


def parse_url(url: str) -> DatabaseUrl:
    """Parse a database URL.

    Raises:
        InvalidDatabaseUrl: with the part found and the form expected, never with a password.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z][\w+.-]*", scheme):
        raise InvalidDatabaseUrl(f"The database URL does not begin with a scheme; {_EXPECTED}.")
    name, _, driver = scheme.lower().partition("+")
    if name not in ("sqlite", "postgresql", "postgres"):
        raise InvalidDatabaseUrl(f"The database URL begins with {scheme}://; {_EXPECTED}.")
    if driver:
        raise InvalidDatabaseUrl(
            f"The database URL begins with {scheme}://; ia_modules chooses the driver: write {name}://."
        )
    return _sqlite(url) if name == "sqlite" else _postgresql(url)


def without_secrets(url: str) -> str:
    """The URL without its password and other secrets, for where everybody may read it; any other text as it is."""
    if not _names_postgresql(url):
        return url
    beginning, mark, query = url.partition("?")
    scheme, slashes, rest = beginning.partition("://")
    netloc, slash, path = rest.partition("/")
    credentials, at, hosts = netloc.rpartition("@")
    options = [option for option in query.split("&") if not _SECRET.search(unquote(option.partition("=")[0]))]
    shown = f"{scheme}{slashes}{credentials.partition(':')[0]}{at}{hosts}{slash}{path}"
    return f"{shown}{mark if options else ''}{'&'.join(options)}"


def with_password(url: str, password: str | None) -> str:
    """The URL with a password; one that has a password, and one of SQLite, as it is.

    Args:
        password: None or empty: there is none.
    """
    has_one = without_secrets(url) != url
    if not password or has_one or not _names_postgresql(url):
        return url
    return f"{url}{'&' if '?' in url else '?'}password={quote(password, safe='')}"


def _names_postgresql(url: str) -> bool:
    return url.partition("://")[0].lower() in ("postgresql", "postgres")


def _sqlite(url: str) -> DatabaseUrl:
    _refuse_impossible_text(url)
    _, _, rest = url.partition("://")
    if not rest.startswith("/"):
        found = "has two slashes before its file" if rest else "names no file"
        raise InvalidDatabaseUrl(f"The database URL {found}; {_EXPECTED}.")
    path = rest[1:]
    if not path or path.endswith(("/", "\\")):
        raise InvalidDatabaseUrl(f"The database URL {url!r} names no file; {_EXPECTED}.")
    if "?" in path or "#" in path:
        raise InvalidDatabaseUrl(f"The database URL {url!r} has options; SQLite takes none here, expected only a path.")
    if path == MEMORY:
        return DatabaseUrl("sqlite", MEMORY, url, "memory")
    absolute = str(Path(path).absolute())
    return DatabaseUrl("sqlite", absolute, url, absolute)


def _postgresql(url: str) -> DatabaseUrl:
    _refuse_impossible_text(unquote(url))
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise InvalidDatabaseUrl(f"The PostgreSQL URL cannot be parsed; {_EXPECTED}?option=value.") from None
    if parts.fragment or parts.netloc.count("@") > 1:
        raise InvalidDatabaseUrl(
            "The PostgreSQL URL has a '#' or a second '@' in it. In a user or password they are written %23 and %40."
        )
    if "@" in parts.path or (parts.netloc and not parts.path and "@" in parts.query and "@" not in parts.netloc):
        raise InvalidDatabaseUrl(
            "The PostgreSQL URL has an '@' after its first '/' or '?'. In a user or password, '/' and '?' are written "
            "%2F and %3F; in a database's name, '@' is written %40."
        )
    credentials, at, hosts = parts.netloc.rpartition("@")
    place = _place(options.get("host") or unquote(hosts), options.get("port"))
    timeout = _connect_timeout(options.pop("connect_timeout", None))
    if options.pop("channel_binding", "prefer") == "require":
        raise InvalidDatabaseUrl(
            "The PostgreSQL URL asks for channel_binding=require, which asyncpg cannot; remove it."
        )
    if fallback := options.pop("fallback_application_name", None):
        options.setdefault("application_name", fallback)
    for option in _ONLY_LIBPQ:
        options.pop(option, None)
    pooler = _pooler(options.get("pooler"))
    settings = {
        key: value
        for key, value in options.items()
        if key != "pooler" and key not in _OF_CONNECTION and not key.startswith("ssl") and not _SECRET.search(key)
    }
    connecting = {key: value for key, value in options.items() if key != "pooler" and key not in settings}
    if _SETTINGS_IN_OPTIONS.fullmatch(connecting.get("options", "")):
        for name, value in re.findall(_SETTING_IN_OPTIONS, connecting.pop("options"), re.DOTALL):
            settings[name.replace("-", "_")] = re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)
    user, colon, _ = credentials.partition(":")
    shown = {key: _HIDDEN if _SECRET.search(key) else value for key, value in options.items()}
    safe_netloc = f"{user}{colon}{_HIDDEN if colon else ''}{at}{hosts}"
    return DatabaseUrl(
        "postgresql",
        _rebuilt(parts.netloc, parts.path, {"application_name": "ia_modules", **connecting}),
        _rebuilt(safe_netloc, parts.path, shown),
        place,
        timeout,
        settings,
        pooler,
    )


def _refuse_impossible_text(text: str) -> None:
    if found := _IMPOSSIBLE.search(text):
        raise InvalidDatabaseUrl(
            f"The database URL has U+{ord(found[0]):04X} in it; expected text without NUL or lone surrogates."
        )


def _rebuilt(netloc: str, path: str, options: dict[str, str]) -> str:
    query = urlencode(options, safe="/:,*", quote_via=quote)
    return f"postgresql://{netloc}{path}{'?' if query else ''}{query}"


def _place(hosts: str, ports: str | None) -> str:
    """Host and port, or a socket's folder, for messages."""
    if not hosts:
        return f"the local server (port {ports or 5432})"
    listed = (ports or "").split(",")
    shown: list[str] = []
    for number, host in enumerate(hosts.split(",")):
        name, port = host, listed[min(number, len(listed) - 1)] or "5432"
        if not host.startswith("/") and (found := re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::(.*))?", host)):
            name, port = found[1], found[2] or port
        if not port.isdigit():
            raise InvalidDatabaseUrl(
                "The port in the PostgreSQL URL is not a number. In a user or password, '/', '?' and ':' are written "
                "%2F, %3F and %3A."
            )
        shown.append(f"{name}:{port}")
    return ", ".join(shown)


def _pooler(text: str | None) -> Pooler | None:
    if text not in (None, "transaction", "session"):
        raise InvalidDatabaseUrl(
            f"The PostgreSQL URL has pooler={text!r}; expected transaction or session, the mode of the pooler."
        )
    return text


def _connect_timeout(text: str | None) -> float | None:
    if not text:
        return None
    if not text.isdigit():
        raise InvalidDatabaseUrl(f"The PostgreSQL URL has connect_timeout={text!r}; expected whole seconds.")
    return float(text) or None
