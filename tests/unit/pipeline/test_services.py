from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from ia_modules.errors import InvalidArgument, ServiceNotFound
from ia_modules.pipeline.services import ServiceRegistry, made_services


def test_a_service_is_found_by_its_name_and_replaced_by_registering_another() -> None:
    services = ServiceRegistry({"model": 1})
    services.register("model", 2)
    services.register("mail", None)
    assert (services["model"], services.get("model"), list(services)) == (2, 2, ["model", "mail"])
    assert services.has("mail"), "None is a service too"
    assert "mail" in services


def test_a_service_that_is_not_there_names_those_that_are() -> None:
    services = ServiceRegistry({"model": 1, "mail": 2})
    assert (services.get("modle"), services.get("modle", 3), services.has("modle"), "modle" in services) == (
        None,
        3,
        False,
        False,
    )
    with pytest.raises(ServiceNotFound, match="'modle'.*mail, model") as missing:
        services["modle"]
    assert missing.value.name == "modle"
    with pytest.raises(ServiceNotFound, match="none"):
        ServiceRegistry()["model"]


def test_a_registry_does_not_share_the_mapping_that_it_was_made_of() -> None:
    shared = {"model": 1}
    ServiceRegistry(shared).register("mail", 2)
    assert shared == {"model": 1}


CLOSED: list[str] = []


def plain() -> dict[str, str]:
    return {"model": "plain"}


async def awaited() -> dict[str, str]:
    return {"model": "awaited"}


@asynccontextmanager
async def opened() -> AsyncGenerator[dict[str, str]]:
    yield {"model": "opened"}
    CLOSED.append("opened")


@contextmanager
def blocking() -> Generator[dict[str, str]]:
    yield {"model": "blocking"}
    CLOSED.append("blocking")


async def opening() -> Any:
    return opened()


@pytest.mark.parametrize(
    ("make", "model", "closes"),
    [
        (plain, "plain", []),
        (awaited, "awaited", []),
        (opened, "opened", ["opened"]),
        (blocking, "blocking", ["blocking"]),
        (opening, "opened", ["opened"]),
        (lambda: ServiceRegistry({"model": "own"}), "own", []),
    ],
)
async def test_services_are_made_by_any_of_the_usual_ways_and_closed_at_the_end(
    make: Any, model: str, closes: list[str]
) -> None:
    CLOSED.clear()
    async with made_services(make) as services:
        assert services["model"] == model
        assert CLOSED == []
    assert closes == CLOSED


@pytest.mark.parametrize(
    ("made", "found"),
    [(None, "of type NoneType"), ({1: 2}, "the name 1"), ([("a", 1)], "of type list")],
)
async def test_what_is_no_mapping_by_name_is_refused(made: Any, found: str) -> None:
    with pytest.raises(InvalidArgument, match=found):
        async with made_services(lambda: made):
            pass
