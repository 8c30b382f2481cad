"""The steps of the executor contract: code that any process can import."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ia_modules.pipeline.core import Step, StepContext
from ia_modules.pipeline.current import current

logger = logging.getLogger("executor_contract")


@dataclass
class Order:
    """An input that is read by its annotation."""

    customer: str
    amounts: list[int]


class OutOfStock(LookupError):
    """Wants more arguments than a message."""

    def __init__(self, item: str, *, left: int) -> None:
        super().__init__(f"{left} of {item!r} left")
        self.item, self.left = item, left


def total(order: Order, tax: float = 0.5) -> dict[str, Any]:
    return {"customer": order.customer, "total": sum(order.amounts) * (1 + tax), "pid": os.getpid()}


async def total_async(order: Order) -> dict[str, Any]:
    await asyncio.sleep(0)
    return {"customer": order.customer, "total": sum(order.amounts)}


def doubled(number: int) -> int:
    return 2 * number


class Scaled(Step):
    """A class with a config."""

    def run(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"scaled": data["number"] * self.config["factor"]}


class Warm(Step):
    """Counts what its object has been used for, and says where."""

    def __init__(self, name: str, config: dict[str, Any] | None = None) -> None:
        super().__init__(name, config)
        self.calls = 0

    def run(self, data: dict[str, Any]) -> Any:
        self.calls += 1
        if data.get("crash"):
            os.kill(os.getpid(), signal.SIGKILL)
        return {"calls": self.calls, "pid": os.getpid()}


class Meets(Step):
    """Waits until as many others have come as there are; says by whom it was used, before and after that."""

    async def run(self, data: dict[str, Any]) -> Any:
        before, other = self.context.step_execution_id, current.context.step_execution_id
        count_in(data["file"])
        await until(lambda: Path(data["file"]).stat().st_size == data["number"])
        return {"pid": os.getpid(), "attempts": [before, other, self.context.step_execution_id]}


class WaitsWarm(Warm):
    """Waits for what the input says, and never stops by itself: async code, or code that holds the loop."""

    async def run(self, data: dict[str, Any]) -> Any:
        match data.get("how"):
            case "waits":
                await waits_until_stopped(data)
            case "holds the loop":
                spins_until_killed(data)
            case _:
                return super().run(data)


class ComputesWarm(Warm):
    """Plain code that cannot be stopped, where the input has a file."""

    def run(self, data: dict[str, Any]) -> Any:
        if "file" in data:
            spins_until_killed(data)
        return super().run(data)


class Falls(Step):
    """Fails, and has something else to give."""

    def run(self, data: dict[str, Any]) -> dict[str, Any]:
        raise OutOfStock("apples", left=3)

    def fallback(self, data: dict[str, Any], error: Exception) -> dict[str, Any]:
        return {"instead": data["number"], "of": type(error).__name__, "why": str(error)}


def fails(data: Mapping[str, Any]) -> None:
    """Counts its calls, and raises with a cause."""
    count_in(data["file"])
    try:
        raise KeyError("apples")
    except KeyError as error:
        raise OutOfStock("apples", left=0) from error


def fails_once(data: Mapping[str, Any]) -> dict[str, Any]:
    if count_in(data["file"]) == 1:
        raise OutOfStock("apples", left=0)
    return {"calls": count_in(data["file"]) - 1}


def exits(data: Mapping[str, Any]) -> None:
    sys.exit(3)


async def waits_until_stopped(data: Mapping[str, Any]) -> None:
    try:
        count_in(data["file"])
        await asyncio.Event().wait()
    finally:
        count_in(f"{data['file']}.tidied")


def spins_until_killed(data: Mapping[str, Any]) -> None:
    """Computes until there is a second file. Where it is, its first says."""
    Path(data["file"]).write_text(str(os.getpid()))
    while not Path(f"{data['file']}.end").exists():
        sum(range(10_000))


def dies(data: Mapping[str, Any]) -> dict[str, Any]:
    """The first time what runs it is killed."""
    if count_in(data["file"]) == 1:
        os.kill(os.getpid(), data.get("signal", signal.SIGKILL))
    return {"calls": 2}


def gives_much(data: Mapping[str, Any]) -> dict[str, Any]:
    count_in(data["file"])
    return {"much": "x" * data["bytes"]}


def gives_no_json(data: Mapping[str, Any]) -> dict[str, Any]:
    return {"lock": {1: object()}, "loop": logger}


def asks(data: Mapping[str, Any]) -> dict[str, Any]:
    return {"status": "human_input_required", "prompt": "Shall it be?", "seen": data["number"]}


def describes_itself(data: Mapping[str, Any], context: StepContext) -> dict[str, Any]:
    here = current.context
    return {
        "step": here.step_id,
        "iteration": here.iteration,
        "attempt": here.attempt,
        "key": here.idempotency_key,
        "config": here.config,
        "same": here.step_execution_id == context.step_execution_id,
        "execution": here.execution_id,
        "trace": here.traceparent,
    }


async def tells(data: Mapping[str, Any]) -> dict[str, Any]:
    """Says everything that a step can say, then waits for a file."""
    context = current.context
    context.log("logged", level="warning", number=1)
    logger.error("by logging")
    print("printed")  # noqa: T201 - is captured
    context.progress(0.25, "a quarter")
    context.emit("hello ")
    context.emit("world")
    context.emit({"tool": "search"}, channel="calls")
    context.usage(model="small", input_tokens=10, output_tokens=5)
    context.usage(model="small", input_tokens=1)
    await until(Path(data["file"]).exists)
    context.log("last")
    return {"told": True}


async def streams(data: Mapping[str, Any]) -> AsyncGenerator[str]:
    for word in ("one ", "two ", "three"):
        yield word


async def calls_within(data: Mapping[str, Any]) -> dict[str, Any]:
    """Calls itself twice and together, and fails the first time after that."""
    context = current.context
    first, second = await asyncio.gather(
        context.step("double", counted_double, 1, data["file"]), context.step("double", counted_double, 2, data["file"])
    )
    await context.sleep(0.01)
    if count_in(f"{data['file']}.attempts") == 1:
        raise RuntimeError("once more")
    return {"first": first, "second": second}


def calls_from_thread(data: Mapping[str, Any]) -> dict[str, Any]:
    return {"double": current.context.call("double", counted_double, 4, data["file"])}


def counted_double(number: int, file: str) -> int:
    """Tells what it used, and counts."""
    count_in(file)
    current.context.usage(model="small", input_tokens=number)
    return 2 * number


def uses_services(data: Mapping[str, Any]) -> dict[str, Any]:
    return {"greeting": current.services["greeting"], "names": sorted(current.services)}


@contextmanager
def made_services() -> Generator[dict[str, str]]:
    """Named as ``MODULE:NAME``."""
    yield {"greeting": f"hello from {os.getpid()}"}


def services_that_fail() -> dict[str, str]:
    raise RuntimeError("no services today")


def runs_a_program(data: Mapping[str, Any]) -> dict[str, Any]:
    """Starts something that never ends by itself, and says which."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(data["file"]).write_text(f"{os.getpid()} {child.pid}")
    while True:
        time.sleep(0.1)


def count_in(file: str) -> int:
    """Count one more call in a file; how many there are. From any process."""
    with Path(file).open("a") as counted:
        counted.write("x")
        counted.flush()
        return counted.tell()


async def until(holds: Callable[[], bool], *, every_seconds: float = 0.02, patience_seconds: float = 60.0) -> None:
    """Wait until something holds that nobody tells of; raises TimeoutError."""
    async with asyncio.timeout(patience_seconds):
        while not holds():  # noqa: ASYNC110 - it is another process that makes it hold
            await asyncio.sleep(every_seconds)
