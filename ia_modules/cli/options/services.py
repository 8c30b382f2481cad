"""``--services``: what makes the services that steps find, in this process."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated

import typer

from ia_modules.cli.output.terminal import not_started
from ia_modules.errors import InvalidArgument
from ia_modules.payload import clean_text
from ia_modules.pipeline.services import ServiceRegistry, ServicesFactory, made_services
from ia_modules.pipeline.step_modules import StepModules

SERVICES_VARIABLE = "IA_MODULES_SERVICES"

StepServices = Annotated[
    str | None,
    typer.Option(
        "--services",
        metavar="MODULE:NAME",
        envvar=SERVICES_VARIABLE,
        help="What makes the services of steps: a function or an async context manager that gives a mapping. Called "
        "once in this process, and closed at its end.",
    ),
]

_EXPECTED = "Expected MODULE:NAME of a function or an async context manager that gives a mapping of services by name"


def factory_named(name: str | None) -> ServicesFactory | None:
    """What MODULE:NAME names; None where nothing is named.

    Raises:
        Exit: there is none.
    """
    if name is None:
        return None
    module, _, attribute = name.partition(":")
    try:
        factory = StepModules().attribute(module, attribute)
    except (LookupError, ValueError) as error:
        raise not_started(f"--services {name} cannot be used: {error.args[0]}. {_EXPECTED}.") from None
    if not callable(factory):
        raise not_started(f"--services {name} is of type {type(factory).__name__}. {_EXPECTED}.")
    return factory


@asynccontextmanager
async def opened_services(name: str | None, make: ServicesFactory | None) -> AsyncGenerator[ServiceRegistry | None]:
    """The services, until the block ends; None without any.

    Raises:
        Exit: they could not be made.
    """
    async with AsyncExitStack() as opened:
        services = None
        if make is not None:
            try:
                services = await opened.enter_async_context(made_services(make))
                services.made_by = name
            except InvalidArgument as error:
                raise not_started(f"--services {name}: {error}") from None
            except Exception as error:
                reason = f"{type(error).__name__}: {clean_text(error)}"
                raise not_started(f"The services of {name} could not be made: {reason}") from error
        yield services
