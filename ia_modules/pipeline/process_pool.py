"""Processes of this machine that make attempts for this one: started when they are needed, used again, ended with it.

Each makes one attempt at a time, and nothing is shared with it: so its code can be ended, and its crash is the failure
of one attempt. When this process dies, however it does, the system ends them and what they have started.
"""

import asyncio
import atexit
import threading
from contextlib import suppress
from functools import partial

from ia_modules.errors import StepError, StepKilled, StepProcessEnded, StepTimeout
from ia_modules.models import JsonText
from ia_modules.pipeline.child_process import ChildProcess, end_together
from ia_modules.pipeline.remote_calls import (
    AttemptBegan,
    AttemptEnded,
    BeginCall,
    CancelCall,
    CodeChanged,
    Desk,
    HostRequest,
    ReadTime,
    ReadWithin,
    RemoteCall,
    ToHost,
    ToOwner,
    WriteNews,
    encoded,
    read_by_owner,
    reply_to,
)
from ia_modules.tasks import in_thread

STOP_SECONDS = 2.0
"""How long a cancelled step may take to tidy up; then its process is ended."""

LOAD_SECONDS = 60.0
"""How long a process may take to start and to load the code of a step."""

IDLE_SECONDS = 60.0
"""How long a process is kept that has nothing to do."""


class ProcessPool:
    """What one executor uses of the processes of this program: those that have nothing to do are anybody's."""

    def __init__(self, at_once: int, *, idle_seconds: float = IDLE_SECONDS) -> None:
        """``at_once``: how many run at the same time; further attempts wait for one."""
        self._places, self._idle_seconds = asyncio.Semaphore(at_once), idle_seconds

    def close(self) -> None:
        """End those that have nothing to do, and wait until they have closed their services, for five seconds at most.

        Without this they end with the program, or when they have had nothing to do for a while.
        """
        ending = [process for process in list(_idle) if _take(process)]
        end_together(each.child for each in ending)

    async def execute(self, call: RemoteCall, desk: Desk, *, timeout_seconds: float | None) -> JsonText:
        """What the code of a call gives, as JSON. When the caller's task is cancelled, it is stopped, or ended.

        Raises:
            asyncio.CancelledError: the caller was; ``__cause__`` says whether the process had to be ended.
            StepTimeout: it took too long; ``__cause__`` says whether its process had to be ended.
            StepProcessEnded: its process crashed, or somebody ended it.
            StepError: the modules of its folder have changed since the owner loaded them.
            Exception: what the step raised.
        """
        async with self._places:
            begin = BeginCall(call)
            process = _idle_with(call.services)
            ended = None if process is None else await self._tried(process, begin, desk, timeout_seconds)
            if ended is None:
                process = await self._started(call.services)
                try:
                    ended = await process.carry_out(begin, desk, timeout_seconds)
                finally:
                    self._put_back(process)
        if isinstance(ended, CodeChanged):
            raise StepError(
                call.step_id,
                f"module {ended.module!r} has changed since this execution began here, and a process of its own can "
                "only load it as it is now. Run the pipeline again.",
            )
        if ended.failure is not None:
            raise ended.failure.as_exception()
        assert ended.result is not None
        return ended.result

    async def _tried(
        self, process: "_Process", begin: BeginCall, desk: Desk, timeout_seconds: float | None
    ) -> AttemptEnded | None:
        """What came of an attempt in a process that was there; None: it has other code, or had died by itself."""
        try:
            ended = await process.carry_out(begin, desk, timeout_seconds)
        except StepProcessEnded:
            if process.has_begun:
                raise
            return None
        finally:
            self._put_back(process)
        if isinstance(ended, AttemptEnded):
            return ended
        if _take(process):
            process.end()
        return None

    async def _started(self, services: str | None) -> "_Process":
        starting = in_thread(partial(_Process, services), "step-process:start")
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(self._keep_started)
            raise

    def _keep_started(self, starting: "asyncio.Future[_Process]") -> None:
        if starting.exception() is None:
            self._put_back(starting.result())

    def _put_back(self, process: "_Process") -> None:
        if process.is_usable:
            process.end_after(self._idle_seconds)
            _idle.append(process)


class _Process:
    """One process, from its start to its end. Made in any thread, and used by one loop at a time."""

    def __init__(self, services: str | None) -> None:
        self.services = services
        self._lock = threading.Lock()
        self._listener: tuple[asyncio.AbstractEventLoop, asyncio.Queue[ToOwner | int]] | None = None
        self._exit_status: int | None = None
        self._idle: threading.Timer | None = None
        self._is_spoiled = False
        self.has_begun = False
        self.child = ChildProcess("ia_modules.pipeline.process_main", services, tell=self._tell)
        _living.add(self)
        if self._exit_status is not None:  # it was faster
            _living.discard(self)

    @property
    def is_usable(self) -> bool:
        """Whether it lives, and nothing of an earlier attempt runs there."""
        return self._exit_status is None and not self._is_spoiled

    def end_after(self, seconds: float) -> None:
        """End it unless it is taken before."""

        def end() -> None:
            if _take(self):
                end_together([self.child])

        self._idle = threading.Timer(seconds, end)
        self._idle.daemon = True
        self._idle.start()

    async def carry_out(
        self, begin: BeginCall, desk: Desk, timeout_seconds: float | None
    ) -> AttemptEnded | CodeChanged:
        """Have an attempt made, and do for it what it asks its owner for."""
        if self._idle is not None:
            self._idle.cancel()
        step_id = begin.call.step_id
        talk = _Talk(self, desk, step_id)
        self._is_spoiled = True  # until its end is known
        with self._lock:
            self._listener = asyncio.get_running_loop(), talk.heard
            if self._exit_status is not None:  # it died while nobody listened
                talk.heard.put_nowait(self._exit_status)
        self.send(begin)
        talking = asyncio.create_task(talk.to_end(), name=f"process:{step_id}")
        try:
            if not await _begins(talk.began, talking):
                raise StepError(step_id, f"its code and its services were not there within {LOAD_SECONDS:g} s.")
            await asyncio.wait([talking], timeout=timeout_seconds)
            if not talking.done():
                stopped = await self._stop(talking)
                raise StepTimeout(step_id, timeout_seconds or 0.0) from (None if stopped else StepKilled(step_id))
        except asyncio.CancelledError as cancelled:
            if not await self._stop(talking):
                raise cancelled from StepKilled(step_id)
            raise
        finally:
            talk.close()
            talking.cancel()
            self.has_begun = talk.began.is_set()
            with self._lock:
                self._listener = None
            if self._is_spoiled:
                self.child.kill()
        return talking.result()

    async def _stop(self, talking: "asyncio.Task[AttemptEnded | CodeChanged]") -> bool:
        """Have what runs stopped; False when it does not, and its process is to be ended."""
        self.send(CancelCall())
        await asyncio.wait([talking], timeout=STOP_SECONDS)
        if talking.done():
            talking.exception()  # it has been told to stop: whatever it says now is not asked for
        return not self._is_spoiled

    def is_free(self, ended: AttemptEnded | CodeChanged) -> None:
        """An attempt is over."""
        self._is_spoiled = isinstance(ended, AttemptEnded) and not ended.is_clean

    def send(self, message: ToHost) -> None:
        self.child.send(encoded(message))

    def end(self) -> None:
        """Let it close what it has, and end; without waiting for it."""
        self._is_spoiled = True
        threading.Thread(target=end_together, args=([self.child],), name="step-process:end", daemon=True).start()

    def _tell(self, message: bytes | int) -> None:
        """In the thread that reads."""
        news = message if isinstance(message, int) else read_by_owner(message)
        with self._lock:
            listener = self._listener
            if isinstance(news, int):
                self._exit_status = news
                _living.discard(self)
        if listener is not None:
            with suppress(RuntimeError):  # the loop is closed
                listener[0].call_soon_threadsafe(listener[1].put_nowait, news)


class _Talk:
    """The owner's side of one attempt."""

    def __init__(self, process: _Process, desk: Desk, step_id: str) -> None:
        self._process, self._desk, self._step_id = process, desk, step_id
        self._answering = set[asyncio.Task[None]]()
        self.heard: asyncio.Queue[ToOwner | int] = asyncio.Queue()
        self.began = asyncio.Event()

    async def to_end(self) -> AttemptEnded | CodeChanged:
        """Reply until the attempt is over.

        Raises:
            StepProcessEnded: its process is gone.
        """
        while True:
            match await self.heard.get():
                case AttemptBegan():
                    self.began.set()
                case AttemptEnded() | CodeChanged() as last:
                    self._process.is_free(last)
                    return last
                case WriteNews() | ReadWithin() | ReadTime() as request:
                    task = asyncio.create_task(self._answer(request), name=f"process:{self._step_id}:answer")
                    self._answering.add(task)
                    task.add_done_callback(self._answering.discard)
                case exit_status:
                    raise StepProcessEnded(self._step_id, exit_status)

    def close(self) -> None:
        """Nobody waits for answers any more."""
        for task in self._answering:
            task.cancel()

    async def _answer(self, request: HostRequest) -> None:
        self._process.send(await reply_to(request, self._desk))


async def _begins(began: asyncio.Event, talking: "asyncio.Task[AttemptEnded | CodeChanged]") -> bool:
    """Wait until the code runs, or the attempt is over; False: it takes too long."""
    beginning = asyncio.create_task(began.wait(), name="process:began")
    try:
        await asyncio.wait([beginning, talking], timeout=LOAD_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    finally:
        beginning.cancel()
    return began.is_set() or talking.done()


_living: set[_Process] = set()
_idle: list[_Process] = []
"""Of this program: whatever runs next may use them."""


def _idle_with(services: str | None) -> _Process | None:
    """One that has nothing to do and has these services, to be used."""
    suited = (each for each in reversed(list(_idle)) if each.services == services)
    return next((each for each in suited if _take(each) and each.is_usable), None)


def _take(process: _Process) -> bool:
    """Have it for oneself; False: somebody else was faster."""
    try:
        _idle.remove(process)
    except ValueError:
        return False
    return True


@atexit.register
def _end_all() -> None:
    end_together([each.child for each in list(_living)])
