"""What step code logs and prints by itself is on record with its attempt, and nothing else is."""

import asyncio
import contextvars
import http.client
import io
import logging
import sys
import threading
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, redirect_stdout
from typing import Any

import httpx
import pytest

from ia_modules.errors import InvalidArgument
from ia_modules.models import LogLevel, LogRecord
from ia_modules.payload import TEXT_LIMIT_CHARACTERS
from ia_modules.pipeline.capture import LOGS_VARIABLE, PRINTS_VARIABLE, Capture, CaptureRules, capture_rules
from ia_modules.pipeline.core import Step
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.runner import Runner
from tests.unit.pipeline.factories import document
from tests.unit.pipeline.programs import Code, nothing, pipeline_of

shop = logging.getLogger("shop.cart")


@pytest.fixture(autouse=True)
def unset_levels() -> Generator[None]:
    """Loggers as a program finds them: the root's level is WARNING, and no other has one."""
    root, levels = logging.getLogger(), {}
    for logger in (root, shop, logging.getLogger("shop")):
        levels[logger] = logger.level
        logger.setLevel(logging.WARNING if logger is root else logging.NOTSET)
    yield
    for logger, level in levels.items():
        logger.setLevel(level)


async def lines_of(journal: OperatorJournal, *, rules: CaptureRules | None = None, **code: Code) -> list[LogRecord]:
    """Run a pipeline to its end; the lines on record, in the order in which they were logged."""
    run = await Runner(journal, capture=rules).start(pipeline_of(document(*code), code))
    await run.to_end()
    changes = await journal.changes(run.execution_id)
    return sorted(changes.logs, key=lambda line: line.log_id)


def texts(lines: list[LogRecord]) -> list[tuple[str | None, str, str]]:
    return [(line.logger, line.level.value, line.message) for line in lines]


async def test_records_of_logging_and_prints_are_on_record_with_their_logger(journal: OperatorJournal) -> None:
    class Buys(Step):
        async def run(self, data: dict[str, Any]) -> None:
            shop.debug("not this one")
            shop.info("%s of %d", 2, 3)
            print("printed", 1, end="!\n")
            self.context.log("for the record")
            await asyncio.to_thread(shop.warning, "in a thread")
            self.logger.info("of the step's own")
            try:
                raise ValueError("no money")
            except ValueError:
                shop.exception("failed")
            shop.critical("over")

    lines = await lines_of(journal, buys=Buys)
    assert texts(lines)[:5] == [
        ("shop.cart", "info", "2 of 3"),
        ("stdout", "info", "printed 1!"),
        (None, "info", "for the record"),
        ("shop.cart", "warning", "in a thread"),
        ("ia_modules.step.buys", "info", "of the step's own"),
    ]
    failed, over = lines[5:]
    assert (failed.level, over.level) == (LogLevel.ERROR, LogLevel.ERROR)
    assert failed.message.startswith("failed\nTraceback (most recent call last):")
    assert failed.message.endswith("ValueError: no money")
    assert len({line.step_execution_id for line in lines}) == 1


async def test_what_steps_log_and_print_at_the_same_time_is_told_apart(journal: OperatorJournal) -> None:
    both = threading.Barrier(2)

    class Talks(Step):
        def run(self, data: dict[str, Any]) -> None:
            for number in range(20):
                both.wait(60)
                print(self.name, end=" ")
                both.wait(60)
                print(number)
                shop.info(self.name)

    written = document("start", "one", "two", paths=[("start", "one"), ("start", "two")])
    run = await Runner(journal).start(pipeline_of(written, {"start": nothing, "one": Talks, "two": Talks}))
    await run.to_end()
    steps = {step.step_id: step.step_execution_id for step in await journal.get_execution_steps(run.execution_id)}
    lines = sorted((await journal.changes(run.execution_id)).logs, key=lambda line: line.log_id)
    for step_id in ("one", "two"):
        own = [line.message for line in lines if line.step_execution_id == steps[step_id]]
        assert own == [text for number in range(20) for text in (f"{step_id} {number}", step_id)]


async def test_debug_of_an_http_client_leaves_no_header_on_record(capfd: pytest.CaptureFixture[str]) -> None:
    everything = logging.StreamHandler(sys.stdout)
    logging.getLogger().addHandler(everything)
    logging.getLogger().setLevel(logging.DEBUG)

    class Asks(Step):
        async def run(self, data: dict[str, Any]) -> None:
            async with answering() as url:
                secret = {"Authorization": "Bearer hunter2"}
                everything.stream = sys.stdout  # as one that is made in a step has it
                async with httpx.AsyncClient() as client:
                    (await client.get(f"{url}/httpx?key=hunter2", headers=secret)).raise_for_status()
                await asyncio.to_thread(asks_plainly, url, secret)
                logging.getLogger("hpack.hpack").debug("Adding %s", secret)
                logging.getLogger("urllib3.connectionpool").info("a new connection")
                shop.debug("done")

    def asks_plainly(url: str, headers: Mapping[str, str]) -> None:
        connection = http.client.HTTPConnection(url.removeprefix("http://"))
        connection.set_debuglevel(1)
        connection.request("GET", "/plain", headers=headers)
        connection.getresponse().read()
        connection.close()

    try:
        lines = await lines_of(MemoryJournal(), rules=CaptureRules(logs=LogLevel.DEBUG), asks=Asks)
    finally:
        logging.getLogger().removeHandler(everything)
    out = capfd.readouterr().out
    assert "send_request_headers" in out, "what the client debugs is printed"
    assert "hunter2" in out
    assert [(logger, message) for logger, _, message in texts(lines) if logger != "asyncio"] == [
        ("urllib3.connectionpool", "a new connection"),
        ("shop.cart", "done"),
    ]


@asynccontextmanager
async def answering() -> AsyncGenerator[str]:
    """A server that answers 200 to everything."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\nSet-Cookie: session=hunter2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_records_of_ia_modules_its_drivers_and_its_server_are_never_on_record() -> None:
    async def logs(data: dict[str, Any]) -> None:
        for name in ("ia_modules", "ia_modules.tracker", "asyncpg.pool", "aiosqlite", "uvicorn.error", "fastapi"):
            logging.getLogger(name).error("not this one")
        for name in ("starlette", "websockets.client", "httpx", "httpcore.http11"):
            logging.getLogger(name).error("not this one")
        logging.getLogger("httpx_of_mine").info("this one")

    assert texts(await lines_of(MemoryJournal(), logs=logs)) == [("httpx_of_mine", "info", "this one")]


async def test_a_level_that_is_set_holds_and_handlers_get_no_more_than_before(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async def logs(data: dict[str, Any]) -> None:
        shop.info("quiet")
        shop.warning("loud")
        logging.getLogger("other").info("not set")
        logging.disable(logging.INFO)
        logging.getLogger("other").info("disabled")
        logging.disable(logging.NOTSET)

    handler = logging.StreamHandler(sys.stderr)
    logging.getLogger().addHandler(handler)
    logging.getLogger("shop").setLevel(logging.WARNING)
    try:
        lines = await lines_of(MemoryJournal(), logs=logs)
    finally:
        logging.getLogger().removeHandler(handler)
    assert [line.message for line in lines] == ["loud", "not set"]
    assert capfd.readouterr().err == "loud\n"
    assert not logging.getLogger("other").isEnabledFor(logging.INFO), "outside of steps all is as before"


async def test_logging_can_still_be_set_up_and_a_filter_of_a_logger_holds() -> None:
    class Redacts(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            record.msg = record.msg.replace("hunter2", "***")
            return "drop" not in record.msg

    async def logs(data: dict[str, Any]) -> None:
        shop.info("password hunter2")
        shop.info("drop this")

    redacts = Redacts()
    shop.addFilter(redacts)
    root = logging.getLogger()
    before = list(root.handlers)
    try:
        assert [line.message for line in await lines_of(MemoryJournal(), logs=logs)] == ["password ***"]
    finally:
        shop.removeFilter(redacts)
    assert root.handlers == before, "no handler that would make basicConfig do nothing"


async def test_a_record_that_cannot_be_formatted_is_on_record_and_does_no_harm() -> None:
    class Fails:
        def __str__(self) -> str:
            shop.info("while it is formatted")
            raise RuntimeError("no text")

    async def logs(data: dict[str, Any]) -> dict[str, Any]:
        shop.info("two %s %s", "one")
        shop.info(Fails())
        shop.info({"a": 1})
        shop.info("nul \0 and \ud800")
        shop.error("outside of an except", exc_info=True)
        return {"went": "on"}

    handled = logging.raiseExceptions
    logging.raiseExceptions = False
    try:
        lines = await lines_of(MemoryJournal(), logs=logs)
    finally:
        logging.raiseExceptions = handled
    assert [line.message for line in lines] == [
        "two %s %s  (with the arguments ('one',): TypeError: not enough arguments for format string)",
        "<Fails that cannot be shown: RuntimeError>  (with the arguments (): RuntimeError: no text)",
        "{'a': 1}",
        "nul \ufffd and \ufffd\ufffd\ufffd",
        "outside of an except",
    ]


async def test_prints_are_lines_however_they_are_written(capfd: pytest.CaptureFixture[str]) -> None:
    async def prints(data: dict[str, Any]) -> None:
        for piece in ("in ", "pieces", "\ntwo\nlines\n", "\n"):
            sys.stdout.write(piece)
        sys.stdout.writelines(["a list\n", "of lines\n"])
        print("\r10 %\r20 %\r100 %")
        sys.stdout.flush()
        assert sys.stdout.isatty() is False
        assert sys.stdout.encoding.lower() == "utf-8"
        sys.stdout.buffer.write(b"bytes\n")
        with pytest.raises(TypeError):
            sys.stdout.write(b"no text")  # pyright: ignore[reportArgumentType]
        with redirect_stdout(io.StringIO()):
            print("somewhere else")
        print("x" * (TEXT_LIMIT_CHARACTERS + 10), end="")
        print("no end", end="")

    found = sys.stdout
    lines = await lines_of(MemoryJournal(), prints=prints)
    assert [line.message for line in lines] == [
        *("in pieces", "two", "lines", "a list", "of lines", "100 %"),
        lines[6].message,
        "no end",
    ]
    assert lines[6].message.startswith("xxx")
    assert "left out" in lines[6].message
    assert sys.stdout is found, "what stood there before stands there again"
    out = capfd.readouterr().out
    assert "in pieces\ntwo\nlines\n" in out
    assert "bytes\n" in out
    assert out.endswith("no end")
    assert "somewhere else" not in out


async def test_a_test_that_captures_stdout_sees_what_steps_print(capsys: pytest.CaptureFixture[str]) -> None:
    async def prints(data: dict[str, Any]) -> None:
        print("seen")
        assert capsys.readouterr().out == "seen\n"

    assert [line.message for line in await lines_of(MemoryJournal(), prints=prints)] == ["seen"]


async def test_what_a_step_leaves_running_is_not_on_record_after_its_end() -> None:
    ended = asyncio.Event()
    left: list[asyncio.Task[None]] = []

    async def later() -> None:
        await ended.wait()
        shop.info("too late")
        print("too late")

    async def leaves(data: dict[str, Any]) -> None:
        left.append(asyncio.create_task(later()))
        threading.Thread(target=contextvars.copy_context().run, args=[shop.info, "in a context of the step"]).run()

    assert [line.message for line in await lines_of(MemoryJournal(), leaves=leaves)] == ["in a context of the step"]
    ended.set()
    await left[0]


async def test_a_run_within_a_step_has_its_own_lines_and_can_take_none() -> None:
    inner = MemoryJournal()

    async def talks(data: dict[str, Any]) -> None:
        shop.info("inside")
        print("inside")

    async def runs(data: dict[str, Any]) -> None:
        shop.info("before")
        lines = await lines_of(inner, rules=CaptureRules(logs=None, prints=False), talks=talks)
        assert lines == []
        shop.info("after")

    lines = await lines_of(MemoryJournal(), runs=runs)
    assert [line.message for line in lines] == ["before", "after"]


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        (CaptureRules(logs=None), ["printed"]),
        (CaptureRules(prints=False), ["info", "error"]),
        (CaptureRules(logs=LogLevel.ERROR, prints=False), ["error"]),
        (CaptureRules(logs=LogLevel.DEBUG, prints=False), ["debug", "info", "error"]),
    ],
)
async def test_both_can_be_switched(rules: CaptureRules, kept: list[str]) -> None:
    async def talks(data: dict[str, Any]) -> None:
        shop.debug("debug")
        shop.info("info")
        shop.error("error")
        print("printed")

    assert [line.message for line in await lines_of(MemoryJournal(), rules=rules, talks=talks)] == kept


def test_the_environment_says_what_is_taken() -> None:
    assert capture_rules({}) == CaptureRules(logs=LogLevel.INFO, prints=True)
    assert capture_rules({LOGS_VARIABLE: "WARNING", PRINTS_VARIABLE: "off"}) == CaptureRules(LogLevel.WARNING, False)
    assert capture_rules({LOGS_VARIABLE: "off"}).logs is None
    for wrong in ({LOGS_VARIABLE: "loud"}, {PRINTS_VARIABLE: "maybe"}):
        with pytest.raises(InvalidArgument, match=r"IA_MODULES_STEP_.* found '(loud|maybe)'; expected"):
            capture_rules(wrong)


def test_a_line_without_an_end_does_not_grow_without_bound() -> None:
    kept: list[str] = []
    capture = Capture(lambda level, text, data, logger: kept.append(text), CaptureRules())
    for _ in range(3 * TEXT_LIMIT_CHARACTERS // 64):
        capture.keep_text("." * 64)
    assert [len(text) for text in kept] == [TEXT_LIMIT_CHARACTERS] * 3
