"""What a route may ask for: ``client: Door`` in its signature."""

from contextlib import AbstractContextManager
from typing import Annotated

from fastapi import Depends, Header
from starlette.requests import HTTPConnection

from ia_modules.client import Client
from ia_modules.models import VersionOrigin
from ia_modules.traces.ids import TRACEPARENT
from ia_modules.traces.running import begun_in, outer_traceparent
from showcase_app.backend.services.container import Services
from showcase_app.backend.services.execution_service import ExecutionService
from showcase_app.backend.services.keyring import Caller, Keyring
from showcase_app.backend.services.pipeline_service import PipelineService


async def services_of(connection: HTTPConnection) -> Services:
    """The services of the server that a request or a socket came to."""
    return connection.app.state.services


async def client_of(services: "Container") -> Client:
    return services.client


async def pipelines_of(services: "Container") -> PipelineService:
    return services.pipeline_service


async def executions_of(services: "Container") -> ExecutionService:
    return services.execution_service


async def caller_of(connection: HTTPConnection) -> Caller:
    """Who calls, as TrustedCallers found out."""
    return connection.state.caller


async def actor_of(caller: "CurrentCaller") -> str:
    return caller.actor


async def origin_of(connection: HTTPConnection) -> VersionOrigin:
    """Where a definition or a start comes from: browsers say their page's origin with all that changes something."""
    return "page" if "origin" in connection.headers else "api"


async def keyring_of(connection: HTTPConnection) -> Keyring:
    return connection.app.state.keyring


Container = Annotated[Services, Depends(services_of)]
Door = Annotated[Client, Depends(client_of)]
Pipelines = Annotated[PipelineService, Depends(pipelines_of)]
Executions = Annotated[ExecutionService, Depends(executions_of)]
CurrentCaller = Annotated[Caller, Depends(caller_of)]
Actor = Annotated[str, Depends(actor_of)]
"""The name under which what the caller does goes on record."""
SentFrom = Annotated[VersionOrigin, Depends(origin_of)]
Keys = Annotated[Keyring, Depends(keyring_of)]

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,200}$",
        description="Any text of your own: the same request with the same key does nothing twice.",
    ),
]

TraceParent = Annotated[
    str | None,
    Header(
        alias=TRACEPARENT,
        description="The span that this begins in (W3C Trace Context); what is none is ignored.",
        examples=["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
    ),
]


def begun_for(traceparent: str | None) -> AbstractContextManager[None]:
    """What begins in this block stands in the span of this request, where there is one; else in that of its caller."""
    return begun_in(outer_traceparent() or traceparent)
