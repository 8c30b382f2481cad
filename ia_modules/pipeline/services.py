"""Services that steps use by name: connections, clients, models, the tracker."""

from collections.abc import Iterator, Mapping
from typing import Any

from ia_modules.errors import ServiceNotFound


class ServiceRegistry:
    """Services by name. It owns none of them: the caller that registers one closes it."""

    def __init__(self, services: Mapping[str, Any] | None = None) -> None:
        self._services = dict(services or {})

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
