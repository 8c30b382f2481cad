"""What a route may ask for: ``tracker: Tracker`` in its signature."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from ia_modules.web.execution_tracker import ExecutionTracker
from showcase_app.backend.services.container import Services as ServiceContainer


async def services_of(connection: HTTPConnection) -> ServiceContainer:
    """The services of the server that a request or a socket came to."""
    return connection.app.state.services


async def tracker_of(services: "Services") -> ExecutionTracker:
    return services.execution_tracker


Services = Annotated[ServiceContainer, Depends(services_of)]
Tracker = Annotated[ExecutionTracker, Depends(tracker_of)]
