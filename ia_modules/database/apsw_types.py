"""Types for the part of apsw in use: its own stubs need ``collections.abc.Buffer``, which Python 3.11 lacks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol


class ApswCursor(Protocol):
    """The rows of one statement."""

    def get_description(self) -> Sequence[tuple[str, str]]: ...
    def fetchall(self) -> list[tuple[Any, ...]]: ...
    def __iter__(self) -> Iterator[tuple[Any, ...]]: ...


class ApswConnection(Protocol):
    """One connection, used by one thread."""

    in_transaction: bool
    convert_binding: Any

    def execute(self, statements: str, bindings: Any = None, *, can_cache: bool = True) -> ApswCursor: ...
    def executemany(
        self, statements: str, sequenceofbindings: Sequence[Mapping[str, Any] | tuple[Any, ...]]
    ) -> ApswCursor: ...
    def pragma(self, name: str, value: Any = None) -> Any: ...
    def changes(self) -> int: ...
    def total_changes(self) -> int: ...
    def set_busy_timeout(self, milliseconds: int) -> None: ...
    def set_progress_handler(
        self,
        callable: Callable[[], bool] | None,  # noqa: A002 - apsw's own word, here and below
        nsteps: int = 100,
        *,
        id: object = None,  # noqa: A002
    ) -> None: ...
    def create_scalar_function(
        self,
        name: str,
        callable: Callable[..., Any],  # noqa: A002
        numargs: int = -1,
        *,
        deterministic: bool = False,
    ) -> None: ...
    def config(self, op: int, *args: int) -> int: ...
    def limit(self, id: int, newval: int = -1) -> int: ...  # noqa: A002
    def close(self, force: bool = False) -> None: ...
