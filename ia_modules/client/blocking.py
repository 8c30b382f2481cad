"""The client for code without an event loop: each verb waits for what its async twin is awaited for.

with Client("sqlite:///ia_modules.db") as client:
result = client.run(flow, {"n": 21})
for changes in client.follow(result["execution_id"]):
print(changes.execution.status)
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from functools import wraps
from typing import Any, cast

from ia_modules.errors import refuse_on_loop
from ia_modules.pipeline.runner import StartedExecution
from ia_modules.tracker.execution_tracker import ExecutionTracker

WaitFor = Callable[[Coroutine[Any, Any, Any]], Any]


class Blocking:
    """The public attributes of something, where what would be awaited has been waited for.

    What comes in turns by ``async for`` comes by ``for``. On a running event loop every method raises
    BlockingCallOnLoop, which names the one to await.
    """

    __slots__ = ("_call", "_name", "_target")

    def __init__(self, target: object, name: str, call: WaitFor) -> None:
        """Stand for a target.

        Args:
            name: what it is called in an error.
            call: runs a coroutine on a loop in another thread, and waits for it.
        """
        self._target, self._name, self._call = target, name, call

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{type(self._target).__name__!r} object has no public attribute {name!r}")
        attribute = getattr(self._target, name)
        path = f"{self._name}.{name}"
        if not inspect.ismethod(attribute):
            return self._waited_for(attribute, path)

        @wraps(attribute)
        def method(*args: Any, **kwargs: Any) -> Any:
            refuse_on_loop(path, path)
            return self._waited_for(attribute(*args, **kwargs), path)

        return method

    def __dir__(self) -> list[str]:
        return [name for name in dir(self._target) if not name.startswith("_")]

    def __repr__(self) -> str:
        return f"Blocking({self._target!r})"

    def _waited_for(self, value: Any, name: str) -> Any:
        if isinstance(value, Awaitable):
            value = self._call(_awaited(cast("Awaitable[Any]", value)))
        if isinstance(value, AsyncIterator):
            return self._each(cast("AsyncIterator[Any]", value))
        return Blocking(value, name, self._call) if isinstance(value, ExecutionTracker | StartedExecution) else value

    def _each(self, values: AsyncIterator[Any]) -> Iterator[Any]:
        try:
            while True:
                try:
                    value = self._call(_awaited(anext(values)))
                except StopAsyncIteration:
                    return
                yield value
        finally:
            if (close := getattr(values, "aclose", None)) is not None:
                self._call(_awaited(close()))


async def _awaited(value: Awaitable[Any]) -> Any:
    return await value
