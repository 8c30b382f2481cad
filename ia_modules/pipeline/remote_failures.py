"""An exception as text, and again as an exception where somebody else raises it: nothing is pickled, no code is run.

What comes back is of the same class where the reader has that loaded; else of the nearest class below it that it has,
under the name of the first. Its message, its cause and its traceback come with it, and of its arguments and attributes
those that JSON can have: texts without half a surrogate pair, numbers of 64 bits at most, true, false and None.
"""

import builtins
import sys
from collections.abc import Iterable, Iterator
from functools import reduce
from traceback import format_exception
from typing import Any

from msgspec import Struct

from ia_modules.errors import REMOTE_TRACEBACK
from ia_modules.payload import clean_text

_MOST_CAUSES = 10
_FAILURE = "__remote_failure__"

Scalar = str | int | float | bool | None


class RemoteFailure(Struct, frozen=True, kw_only=True):
    """An exception.

    Attributes:
        kinds: module and qualified name of its class and of those below it, the nearest first.
        args: its arguments; None: one of them is no scalar.
        traceback: as Python prints it, with its causes.
    """

    kinds: tuple[tuple[str, str], ...]
    message: str
    args: tuple[Scalar, ...] | None
    attributes: dict[str, Scalar]
    traceback: str
    cause: "RemoteFailure | None" = None

    @classmethod
    def of(cls, error: BaseException, *, depth: int = 0) -> "RemoteFailure":
        """What is told of an exception; of one that came from elsewhere, what was told then."""
        if isinstance(before := getattr(error, _FAILURE, None), RemoteFailure):
            return before
        cause = error.__cause__
        return cls(
            kinds=tuple((kind.__module__, kind.__qualname__) for kind in type(error).__mro__ if kind is not object),
            message=clean_text(error),
            args=error.args if all(map(_is_scalar, error.args)) else None,
            attributes={name: value for name, value in vars(error).items() if _is_scalar(value)},
            traceback=clean_text("".join(format_exception(error))),
            cause=None if cause is None or depth == _MOST_CAUSES else cls.of(cause, depth=depth + 1),
        )

    def as_exception(self) -> Exception:
        """The exception, to be raised here."""
        error = self._made()
        vars(error).update(self.attributes)
        setattr(error, REMOTE_TRACEBACK, self.traceback)
        setattr(error, _FAILURE, self)
        error.add_note(f"Where it was raised:\n{self.traceback.rstrip()}")
        if self.cause is not None:
            error.__cause__ = self.cause.as_exception()
        return error

    def _made(self) -> Exception:
        """Without its ``__init__``, whose arguments nobody here knows: of the nearest class that can be made so."""
        args = (self.message,) if self.args is None else self.args
        for kind in _loaded(self.kinds):
            for attributes, own in (({}, args), ({"__str__": _message_of}, (self.message,))):
                if (error := _tried(self._named(kind, attributes), own, self.message)) is not None:
                    return error
        return self._named(Exception, {})(self.message)

    def _named(self, kind: type[Exception], attributes: dict[str, Any]) -> type[Exception]:
        """The class itself where it is the one that was raised; else one below it, under the name of that."""
        module, name = self.kinds[0]
        if (kind.__module__, kind.__qualname__) == (module, name) and not attributes:
            return kind
        return type(name.rpartition(".")[2], (kind,), {"__module__": module, "__qualname__": name, **attributes})


def _tried(kind: type[Exception], args: tuple[Scalar, ...], message: str) -> Exception | None:
    """An exception of a class that says this; None: such a one cannot be made."""
    try:
        error = kind.__new__(kind, *args)
        error.args = args
        return error if clean_text(error) == message else None
    except Exception:  # noqa: BLE001 - user code: a __new__ that wants more, a __str__ that reads what is not there
        return None


def _loaded(kinds: Iterable[tuple[str, str]]) -> Iterator[type[Exception]]:
    """Those of the classes that this process has, by their names; nothing is imported."""
    for module, name in kinds:
        start = builtins if module == "builtins" else sys.modules.get(module)
        found: Any = reduce(lambda inside, each: getattr(inside, each, None), name.split("."), start)
        if isinstance(found, type) and issubclass(found, Exception):
            yield found


def _is_scalar(value: Any) -> bool:
    if isinstance(value, str):
        return clean_text(value) == value
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return value is None or isinstance(value, float)


def _message_of(error: Exception) -> str:
    return str(error.args[0])
