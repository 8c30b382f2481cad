"""What step code logs and prints by itself, taken for the record of its attempt.

    logging.getLogger("shop").info(…)  ─┐
                                        ├→ the Capture of this context → a line of the attempt
    print(…)                           ─┘

A context variable tells attempts apart that run at the same time, also in ``asyncio.to_thread`` and in the threads of
plain functions. Nothing is taken away: records go on to the handlers that there are, texts to the stdout that there is.
"""

import inspect
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from functools import cache, lru_cache, wraps
from types import FrameType
from typing import Any, TextIO, cast

from msgspec import Struct

from ia_modules.errors import InvalidArgument
from ia_modules.models import SEVERITIES, LogLevel
from ia_modules.payload import TEXT_LIMIT_CHARACTERS, clean_text

LOGS_VARIABLE, PRINTS_VARIABLE = "IA_MODULES_STEP_LOGS", "IA_MODULES_STEP_PRINTS"
STDOUT = "stdout"
"""The logger of what is printed."""

OFF = "off"
STEP_LOGGERS = "ia_modules.step"
"""Above the loggers of steps, which are their authors' to log with."""
_NEVER = (
    *("ia_modules", "asyncpg", "apsw", "aiosqlite", "sqlite3", "uvicorn", "fastapi", "starlette", "websockets"),
    *("httpx", "httpcore", "h11", "httptools", "python_multipart"),
)
_NEVER_DEBUG = (
    *("aiohttp", "anthropic", "azure", "boto3", "botocore", "google", "h2", "hpack", "openai", "requests"),
    *("requests_oauthlib", "urllib3", "wsproto"),
)
"""HTTP clients: what they debug are requests with their headers."""
_NUMBERS = {
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFO: logging.INFO,
    LogLevel.WARNING: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
}
_NAME_CHARACTERS = 200

KeepLine = Callable[[LogLevel, str, dict[str, Any] | None, str | None], None]
"""Takes level, message, data and the logger's name; from any thread."""


class CaptureRules(Struct, frozen=True):
    """What is taken of step code's own logging and printing.

    Attributes:
        logs: records of ``logging`` of this level or more severe; None: none.
        prints: whether what is printed is taken.
    """

    logs: LogLevel | None = LogLevel.INFO
    prints: bool = True


def capture_rules(environ: Mapping[str, str] = os.environ) -> CaptureRules:
    """What the environment says: ``IA_MODULES_STEP_LOGS`` (a level, or off), ``IA_MODULES_STEP_PRINTS`` (on or off).

    Raises:
        InvalidArgument: it says something else.
    """
    return CaptureRules(
        logs=level_in(environ.get(LOGS_VARIABLE) or LogLevel.INFO, where=f"variable {LOGS_VARIABLE}"),
        prints=_is_on(environ.get(PRINTS_VARIABLE) or "on"),
    )


def level_in(text: str, *, where: str) -> LogLevel | None:
    """The level of a word; None: ``off``. Raises InvalidArgument."""
    word = text.strip().lower()
    if word == OFF:
        return None
    if word not in SEVERITIES:
        raise InvalidArgument(where, repr(text)[:80], f"one of {', '.join(SEVERITIES)}, {OFF}")
    return LogLevel(word)


def _is_on(text: str) -> bool:
    word = text.strip().lower()
    if word not in ("on", OFF):
        raise InvalidArgument(f"variable {PRINTS_VARIABLE}", repr(text)[:80], f"on or {OFF}")
    return word == "on"


class Capture:
    """Takes what is logged and printed inside of ``with``, in this context and those that are made of it.

    A task of its own has one at most.
    """

    def __init__(self, keep: KeepLine, rules: CaptureRules) -> None:
        """``keep`` drops what comes when the attempt is over: a task of the step may live on."""
        self._keep, self._rules = keep, rules
        self._lock = threading.Lock()
        self._pieces: list[str] = []  # of a line that has not ended
        self._characters = 0

    def __enter__(self) -> None:
        if self._rules.logs is not None:
            _hook_logging()
        if self._rules.prints:
            _stdout_place.begin()
        _capture.set(self)

    def __exit__(self, *_: object) -> None:
        _capture.set(None)  # not reset: an abandoned task may be closed in another context
        if self._rules.prints:
            _stdout_place.end()
        self.end_line()

    @property
    def takes_prints(self) -> bool:
        return self._rules.prints

    def wants(self, logger: logging.Logger, level: int) -> bool:
        """Whether a record is to be made for this capture, though the logger would make none.

        A level that is set at the logger, or at one above it, holds; the root's, which is WARNING where nobody sets up
        logging, is for handlers alone.
        """
        if logger.disabled or logger.manager.disable >= level or not self._takes(logger.name, level):
            return False
        each = logger
        while each.parent is not None:
            if each.level:
                return level >= each.level
            each = each.parent
        return True

    def keep_record(self, record: logging.LogRecord) -> None:
        """Take a record of ``logging``, if it is one that is wanted."""
        if self._takes(record.name, record.levelno):
            level = next(each for each in reversed(SEVERITIES) if _NUMBERS[each] <= max(record.levelno, logging.DEBUG))
            self._keep(level, _text_of(record), None, clean_text(record.name)[:_NAME_CHARACTERS])

    def keep_text(self, text: str) -> None:
        """Take what is printed: whole lines, of however many pieces."""
        with self._lock:
            *ended, rest = text.split("\n")
            for piece in ended:
                self._pieces.append(piece)
                self._end_line()
            self._pieces.append(rest)
            self._characters += len(rest)
            if self._characters >= TEXT_LIMIT_CHARACTERS:
                self._end_line()

    def end_line(self) -> None:
        """Take what was printed of a line that has not ended."""
        with self._lock:
            self._end_line()

    def _end_line(self) -> None:
        line = "".join(self._pieces).rstrip()
        self._pieces, self._characters = [], 0
        if line:
            self._keep(LogLevel.INFO, line.rpartition("\r")[2], None, STDOUT)  # as a terminal would show it

    def _takes(self, name: str, level: int) -> bool:
        least = self._rules.logs
        return least is not None and level >= _NUMBERS[least] and level >= _least_of(name)


_capture: ContextVar[Capture | None] = ContextVar("capture", default=None)


class _nobody:  # noqa: N801 - it stands in a ``with``, as ``suppress`` does
    """In here nothing is taken: what a handler prints is on record as a record, or must not be."""

    def __enter__(self) -> None:
        self._token = _capture.set(None)

    def __exit__(self, *_: object) -> None:
        _capture.reset(self._token)


@lru_cache(maxsize=1024)
def _least_of(name: str) -> int:
    """The least severe level that may be taken of a logger, whatever the rules."""
    if _is_below(name, (STEP_LOGGERS,)):
        return logging.NOTSET
    if _is_below(name, _NEVER):
        return sys.maxsize
    return logging.INFO if _is_below(name, _NEVER_DEBUG) else logging.NOTSET


def _is_below(name: str, loggers: Iterable[str]) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in loggers)


def _text_of(record: logging.LogRecord) -> str:
    """What a formatter would make of it: the message, the traceback, the stack."""
    try:
        text = record.getMessage()
    except Exception as error:  # noqa: BLE001 - user code: arguments that do not fit, a __str__ that fails
        wrong = f"{type(error).__name__}: {clean_text(error)}"
        text = f"{clean_text(record.msg)}  (with the arguments {clean_text(record.args)}: {wrong})"
    if record.exc_info and record.exc_info[1] is not None:
        text = f"{text}\n{''.join(traceback.format_exception(record.exc_info[1])).rstrip()}"
    return f"{text}\n{record.stack_info}" if record.stack_info else text


@cache
def _hook_logging() -> None:
    """Have every logger ask the capture of its context; once in a process, and for good.

    A handler would not do: it comes after the logger's level, of which the root's is WARNING, and a handler at the root
    makes ``logging.basicConfig`` do nothing.
    """
    is_enabled_for, call_handlers = logging.Logger.isEnabledFor, logging.Logger.callHandlers

    @wraps(is_enabled_for)
    def is_enabled_or_wanted(self: logging.Logger, level: int) -> bool:
        if is_enabled_for(self, level):
            return True
        capture = _capture.get()
        return capture is not None and capture.wants(self, level)

    @wraps(call_handlers)
    def keep_and_call_handlers(self: logging.Logger, record: logging.LogRecord) -> None:
        capture = _capture.get()
        if capture is None:
            call_handlers(self, record)
            return
        with _nobody():
            capture.keep_record(record)
            if is_enabled_for(self, record.levelno):
                call_handlers(self, record)

    logging.Logger.isEnabledFor = is_enabled_or_wanted
    logging.Logger.callHandlers = keep_and_call_handlers


def _prints_headers(caller: FrameType | None) -> bool:
    """Whether it is ``http.client`` that prints, which does so to debug."""
    return caller is not None and caller.f_globals.get("__name__") == "http.client"


class _StepStdout:
    """Stands in for a stdout: hands everything on to it, and what steps write to their captures."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        capture = _capture.get()
        if capture is None or not capture.takes_prints:
            return self.stream.write(text)
        with _nobody():
            written = self.stream.write(text)  # refuses what is no text
        here = inspect.currentframe()
        if here is None or not _prints_headers(here.f_back):
            capture.keep_text(text)
        return written

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class _StdoutPlace:
    """Stands in for ``sys.stdout`` while attempts run whose prints are taken, and no longer.

    Others may put something else there meanwhile, and put back what they found: the next attempt stands in anew.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._attempts = 0

    def begin(self) -> None:
        with self._lock:
            self._attempts += 1
            stdout = cast("TextIO | _StepStdout | None", sys.stdout)
            if stdout is not None and not isinstance(stdout, _StepStdout):
                sys.stdout = cast("TextIO", cast("object", _StepStdout(stdout)))

    def end(self) -> None:
        with self._lock:
            self._attempts -= 1
            stdout = cast("TextIO | _StepStdout | None", sys.stdout)
            if self._attempts == 0 and isinstance(stdout, _StepStdout):
                sys.stdout = stdout.stream


_stdout_place = _StdoutPlace()
