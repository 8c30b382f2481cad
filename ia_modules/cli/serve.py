"""``ia-modules serve``: the API over a database, on this machine."""

import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ia_modules.cli.database import DEFAULT_DATABASE, Database
from ia_modules.cli.terminal import fail, run
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import IAModulesError

if TYPE_CHECKING:
    from uvicorn import Config

EXAMPLE = "Example: ia-modules serve --port 8080 --db postgresql://me@localhost/ia"

_PATIENCE_SECONDS = 3  # for requests that run when the server stops


def serve(
    host: Annotated[str, typer.Option(help="The address to listen at; only this machine's own for now.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 = any free one.")] = 5555,
    database_url: Database = DEFAULT_DATABASE,
) -> None:
    """Serve the API until Ctrl-C: executions, their steps, and what happens, live. Makes the schema current first."""
    try:
        import uvicorn

        from showcase_app.backend.main import create_app
        from showcase_app.backend.settings import Settings
    except ModuleNotFoundError as missing:
        raise fail(
            f"{missing.name} is not installed, which serving needs. Install: pip install 'ia_modules[showcase]'"
        ) from None
    try:
        settings = Settings(database_url=database_url, host=host, port=port)
        shown = run(_prepare(database_url))
        listener = listen(host, port)
    except (IAModulesError, OSError) as error:
        raise fail(str(error)) from None
    typer.echo(f"ia_modules serves {shown} at {address_of(listener)}  (Ctrl-C ends it)")
    server = uvicorn.Server(server_config(create_app(settings)))
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listener])


async def _prepare(database_url: str) -> str:
    """Find out what is wrong with a database before anything listens; returns its URL without a password."""
    async with DatabaseManager(database_url) as database:
        return database.safe_url


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        OSError: the address is not to be had; the message says which, and what to do.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        raise OSError(f"Cannot listen at {host} port {port}: {reason}. Choose another: --port 0 takes any.") from error


def address_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def server_config(app: Any) -> "Config":
    """How uvicorn serves the application, the same from the command line and in tests.

    Sockets without compression, which halves the rate for small JSON, and through the implementation that replaces the
    deprecated one. What a client sends on a socket is not read, so little of it is taken.
    """
    from uvicorn import Config

    return Config(
        app,
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_max_size=4096,
        timeout_graceful_shutdown=_PATIENCE_SECONDS,
    )
