"""Services that steps use by name: connections, clients, models, the tracker."""

import inspect
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, cast

from ia_modules.errors import InvalidArgument, ServiceNotFound


class ServiceRegistry:
    """Services by name. It owns none of them: the caller that registers one closes it.

    Attributes:
        made_by: the function or context manager that makes them, as ``MODULE:NAME``; None: nobody else can. Steps that
            run in processes of their own find what it makes there; these objects stay here.
    """

    def __init__(self, services: Mapping[str, Any] | None = None, *, made_by: str | None = None) -> None:
        self._services, self.made_by = dict(services or {}), made_by

    def register(self, name: str, service: Any) -> None:
        """Offer a service; one of the same name is replaced."""
        self._services[name] = service

    def get(self, name: str, default: Any = None) -> Any:
        """The service; ``default`` where there is none."""
        return self._services.get(name, default)

    def has(self, name: str) -> bool:
        return name in self._services

    def __getitem__(self, name: str) -> Any:
        """The service.

        Raises:
            ServiceNotFound: there is none; names those there are.
        """
        try:
            return self._services[name]
        except KeyError:
            raise ServiceNotFound(name, sorted(self._services)) from None

    def __contains__(self, name: str) -> bool:
        return name in self._services

    def __iter__(self) -> Iterator[str]:
        return iter(self._services)


ServicesFactory = Callable[[], Any]
"""What makes the services of a process: a function, async or not, that gives a mapping of them by name, or a context
manager, async or not, that gives one and closes what must be closed."""


@asynccontextmanager
async def made_services(make: ServicesFactory) -> AsyncGenerator[ServiceRegistry]:
    """The services of a process, until the block ends.

    Raises:
        InvalidArgument: what it gives is no mapping by name.
        Exception: what it raises itself.
    """
    async with entered(make) as made:
        yield _registry_of(made)


@asynccontextmanager
async def entered(make: Callable[[], Any]) -> AsyncGenerator[Any]:
    """What a function gives, async or not; or a context manager, async or not, which is left when the block ends."""
    async with AsyncExitStack() as opened:
        made = make()
        if inspect.isawaitable(made):
            made = await made
        if isinstance(made, AbstractAsyncContextManager):
            made = await opened.enter_async_context(cast("AbstractAsyncContextManager[Any]", made))
        elif isinstance(made, AbstractContextManager):
            made = opened.enter_context(cast("AbstractContextManager[Any]", made))
        yield made


def _registry_of(made: Any) -> ServiceRegistry:
    if isinstance(made, ServiceRegistry):
        return made
    expected = "a mapping of services by name, or a context manager that gives one"
    if not isinstance(made, Mapping):
        raise InvalidArgument("services", f"a value of type {type(made).__name__}", expected)
    services = cast("Mapping[Any, Any]", made)
    for name in services:
        if not isinstance(name, str):
            raise InvalidArgument("services", f"the name {name!r}", expected)
    return ServiceRegistry(services)
