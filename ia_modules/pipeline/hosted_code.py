"""The code of remote calls, as a process has it that makes their attempts: modules, services, and warm steps."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple, Self

import orjson

from ia_modules.errors import InvalidValue, ServiceNotFound, StepError
from ia_modules.models import JsonText
from ia_modules.payload import clean_text
from ia_modules.pipeline.beside import fingerprint
from ia_modules.pipeline.binding import Binding, binding_of
from ia_modules.pipeline.code import StepFactory, factory_of, made_step
from ia_modules.pipeline.core import Step
from ia_modules.pipeline.current import current
from ia_modules.pipeline.executor import contained
from ia_modules.pipeline.remote_calls import CodeChanged, RemoteCall, RemoteCode
from ia_modules.pipeline.services import ServiceRegistry, made_services
from ia_modules.pipeline.step_modules import StepModules
from ia_modules.tasks import in_thread


class CodeOfCall(NamedTuple):
    """What a call names.

    Attributes:
        step: its object.
        is_shared: other attempts use that at the same time, so it finds its surroundings itself.
        binding: None: the code is given the state.
    """

    step: Step
    is_shared: bool
    binding: Binding | None
    services: ServiceRegistry


class _WarmStep(NamedTuple):
    """The object of a step of a pool, and what it was made with."""

    config: JsonText
    step: Step


class HostedCode:
    """Loads code, once for all attempts of this process. What it imports stays in memory until the process ends."""

    def __init__(self, *, services: str | None) -> None:
        """``services``: what makes the services of steps, as ``MODULE:NAME``; None: there are none."""
        self._named = services
        self._modules: dict[tuple[str | None, tuple[str, ...] | None], StepModules] = {}
        self._services = ServiceRegistry()
        self._failed: BaseException | None = None  # to make the services
        self._opened = AsyncExitStack()
        self._warm: dict[str, _WarmStep] = {}
        self._locks: dict[str, asyncio.Lock] = {}  # by step
        self._loading: set[asyncio.Task[CodeOfCall | CodeChanged]] = set()

    @property
    def is_spent(self) -> bool:
        """Whether nothing can be called here: the services could not be made."""
        return self._failed is not None

    async def __aenter__(self) -> Self:
        """Make the services; where that fails, so does every attempt."""
        if self._named is not None:
            module, _, name = self._named.partition(":")
            try:
                make = StepModules().attribute(module, name)
                self._services = await self._opened.enter_async_context(made_services(make))
            except BaseException as left:  # noqa: BLE001 - user code, in a process that has nothing else to do
                self._failed = left
        return self

    async def __aexit__(self, *left: object) -> None:
        await self._opened.aclose()

    async def loaded(self, call: RemoteCall) -> CodeOfCall | CodeChanged:
        """The code of a call; or that it is not what the owner has loaded.

        Where others run meanwhile it is loaded in a thread, that of a step once, and also to its end when the caller is
        cancelled: the next one needs it.

        Raises:
            StepError: it cannot be loaded, or its object or the services cannot be made.
            Exception: what its module raised.
        """
        if not _is_shared(call):
            return self._loaded(call)
        loading = asyncio.create_task(self._loaded_beside(call), name=f"load:{call.step_id}")
        self._loading.add(loading)
        loading.add_done_callback(self._loading.discard)
        return await asyncio.shield(loading)

    async def _loaded_beside(self, call: RemoteCall) -> CodeOfCall | CodeChanged:
        def load() -> CodeOfCall | CodeChanged:
            with contained(call.step_id):
                return self._loaded(call)

        async with self._locks.setdefault(call.step_id, asyncio.Lock()):
            return await in_thread(load, "load")

    def _loaded(self, call: RemoteCall) -> CodeOfCall | CodeChanged:
        modules = self._modules_of(call.code)
        try:
            factory, binding = _named_code(call, modules)
        except StepError as error:
            if (module := _changed(call, modules)) is not None:
                return CodeChanged(module)
            raise error
        if (module := _changed(call, modules)) is not None:
            return CodeChanged(module)
        if self._failed is not None:
            reason = f"{type(self._failed).__name__}: {clean_text(self._failed)}"
            what = f"the services of {self._named} could not be made: {reason}"
            raise StepError(call.step_id, what) from self._failed
        services = _RemoteServices(self._services, call.step_id)
        return CodeOfCall(self._step(call, factory), _is_shared(call), binding, services)

    def _modules_of(self, code: RemoteCode) -> StepModules:
        place = (code.folder, code.allowed)
        if place not in self._modules:  # held, so that what is loaded stays so
            folder = None if code.folder is None else Path(code.folder)
            self._modules[place] = StepModules(folder, allowed=code.allowed)
        return self._modules[place]

    def _step(self, call: RemoteCall, factory: StepFactory) -> Step:
        """An object of this attempt's own; in a pool that of the step, which stays while its config is the same."""
        if call.needs.pool is None:
            return made_step(factory, call.step_id, orjson.loads(call.config))
        warm = self._warm.get(call.step_id)
        if warm is None or warm.config != call.config:
            step = made_step(factory, call.step_id, orjson.loads(call.config))
            if _is_shared(call):
                _share(step)
            warm = self._warm[call.step_id] = _WarmStep(call.config, step)
        return warm.step


def _named_code(call: RemoteCall, modules: StepModules) -> tuple[StepFactory, Binding | None]:
    """Raises StepError: it cannot be loaded."""
    code = call.code
    try:
        factory = factory_of(modules.code(code.module, code.name))
        function: Callable[..., Any] | None = getattr(factory, "code", None)
        if function is None:
            return factory, None
        return factory, binding_of(function, inputs=code.inputs, parameters=code.parameters)
    except (LookupError, TypeError, InvalidValue) as wrong:
        what = f"its code cannot be loaded in a process of its own: {clean_text(wrong.args[0])}"
        raise StepError(call.step_id, what) from None


def _changed(call: RemoteCall, modules: StepModules) -> str | None:
    """A module that is not here what it is where the call comes from; None: all are."""
    here = {} if modules.generation is None else fingerprint(modules.generation)
    return next((name for name, digest in call.fingerprint.items() if here.get(name, digest) != digest), None)


def _is_shared(call: RemoteCall) -> bool:
    return call.needs.pool is not None and call.needs.pool.is_shared


class _SharedStep(Step):
    """A step whose object several attempts use at the same time: each has its own surroundings."""

    context = property(lambda self: current.context)  # pyright: ignore[reportAssignmentType]
    services = property(lambda self: current.services)  # pyright: ignore[reportAssignmentType]

    def __init_subclass__(cls, **options: object) -> None:
        """What the class of the step wants of its subclasses is not wanted of this one."""


def _share(step: Step) -> None:
    """Have its ``context`` and ``services`` be those of the attempt that reads them."""
    kind = type(step)
    step.__class__ = type(kind.__name__, (_SharedStep, kind), {"__module__": kind.__module__})


_ONLY_MADE_HERE = (
    "Step {step_id!r} runs in a process of its own, where only the services are that --services MODULE:NAME makes: no "
    "object of the program that runs its execution, and no tracker."
)


class _RemoteServices(ServiceRegistry):
    """The services that were made here. Those of the program that runs the execution are objects, and stay there."""

    def __init__(self, services: ServiceRegistry, step_id: str) -> None:
        super().__init__({name: services[name] for name in services})
        self._step_id = step_id

    def __getitem__(self, name: str) -> Any:
        try:
            return super().__getitem__(name)
        except ServiceNotFound as missing:
            missing.args = (f"{missing} {_ONLY_MADE_HERE.format(step_id=self._step_id)}",)
            raise
