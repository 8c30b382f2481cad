"""Processes of this machine that make attempts for this one: started when they are needed, used again, ended with it.

Each makes one attempt at a time, and nothing is shared with it: so its code can be ended, and its crash is the failure
of one attempt. That of a pool is kept for its steps alone, with their objects, and may make more than one. When this
process dies, however it does, the system ends them and what they have started.
"""

import asyncio
import atexit
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from weakref import WeakKeyDictionary, WeakValueDictionary

from ia_modules.errors import StepAbandoned, StepError, StepKilled, StepProcessEnded, StepTimeout
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
    PoolNeeds,
    ReadTime,
    ReadWithin,
    RemoteCall,
    ToHost,
    ToOwner,
    WriteNews,
    encoded,
    numbered,
    read_by_owner,
    read_number,
    reply_to,
)
from ia_modules.tasks import in_thread

STOP_SECONDS = 2.0
"""How long a cancelled step may take to tidy up; then its process is ended."""

LOAD_SECONDS = 600.0
"""How long a process may take to start and to load the code of a step, and what that loads in turn."""

IDLE_SECONDS = 60.0
"""How long a process is kept that has nothing to do."""

_ANSWER_SECONDS = 1.0  # after those, for a process to say that something goes on
_SILENT_SECONDS = 30.0  # after those, for a process to say anything; then it is ended, with all that runs there


def not_stopped(call: RemoteCall) -> StepAbandoned | StepKilled:
    """What is said of an attempt that did not stop when it was cancelled: where it is alone, its process was ended."""
    pool = call.needs.pool
    return StepAbandoned(call.step_id) if pool is not None and pool.is_shared else StepKilled(call.step_id)


class ProcessPool:
    """What one executor uses of the processes of this program: those that have nothing to do are anybody's."""

    def __init__(self, at_once: int, *, idle_seconds: float = IDLE_SECONDS) -> None:
        """Nothing runs yet.

        Args:
            at_once: how many attempts run at the same time that are of no pool; further ones wait for one.
            idle_seconds: how long their processes are kept that have nothing to do.
        """
        self._idle_seconds = idle_seconds
        self._line = _Line(at_once)

    def close(self) -> None:
        """End those that have nothing to do; of pools, those that this used last.

        Waits until they have closed their services, for five seconds at most. Without this they end with the program,
        or when they have had nothing to do for a while.
        """
        ours = [each for each in list(_free) if each.pool is None or each.user is self]
        end_together(each.child for each in ours if _take_idle(each))

    async def execute(self, call: RemoteCall, desk: Desk, *, timeout_seconds: float | None) -> JsonText:
        """What the code of a call gives, as JSON. When the caller's task is cancelled, it is stopped, or ended.

        Raises:
            asyncio.CancelledError: the caller was; ``__cause__``, where the code did not stop, is :func:`not_stopped`.
            StepTimeout: it took too long; ``__cause__`` likewise.
            StepProcessEnded: its process crashed, or somebody ended it.
            StepError: the modules of its folder have changed since the owner loaded them.
            Exception: what the step raised.
        """
        line = self._line_of(call.needs.pool)
        async with line.places:
            others: list[_Process] = []  # with other code
            ended = None
            while ended is None:
                process, is_fresh = await self._process_for(call, line, others)
                talk = _Talk(desk, call.step_id, others)
                ended = await self._tried(process, talk, call, timeout_seconds, is_fresh=is_fresh)
                if isinstance(ended, CodeChanged) and not is_fresh:
                    others.append(process)
                    ended = None
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

    def _line_of(self, pool: PoolNeeds | None) -> "_Line":
        if pool is None:
            return self._line
        lines = _lines.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
        return lines.get(pool.name) or lines.setdefault(pool.name, _Line(pool.max_concurrency))

    async def _process_for(
        self, call: RemoteCall, line: "_Line", others: "Sequence[_Process]"
    ) -> tuple["_Process", bool]:
        """One with room for the call, which has it then, and whether it was started for that; none of ``others``."""
        pool = call.needs.pool
        if pool is None:
            process = _with_room(call, self, others)
            return (process, False) if process is not None else (await self._started(call), True)
        async with line.starting:  # who comes meanwhile uses the same one
            process = _with_room(call, self, others)
            if process is not None:
                return process, False
            process = await self._started(call)
            _offer(process)
            return process, True

    async def _tried(
        self, process: "_Process", talk: "_Talk", call: RemoteCall, timeout_seconds: float | None, *, is_fresh: bool
    ) -> AttemptEnded | CodeChanged | None:
        """What came of an attempt; None: the process was there before, and had died by itself."""
        try:
            ended = await process.carry_out(talk, call, timeout_seconds)
            if is_fresh and isinstance(ended, CodeChanged):
                process.retire()
        except StepProcessEnded:
            if is_fresh or talk.began.is_set():
                raise
            return None
        finally:
            self._put_back(process)
        return ended

    async def _started(self, call: RemoteCall) -> "_Process":
        starting = in_thread(partial(_Process, call.services, call.needs.pool, self), "step-process:start")
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(self._keep_started)
            await asyncio.wait([starting])  # a moment, in which nobody else is to start another
            raise

    def _keep_started(self, starting: "asyncio.Future[_Process]") -> None:
        if starting.exception() is None:
            self._put_back(starting.result())

    def _put_back(self, process: "_Process") -> None:
        _leave(process, self._idle_seconds if process.pool is None else process.pool.idle_seconds)


class _Line:
    """Attempts that wait for the same processes."""

    def __init__(self, at_once: int) -> None:
        self.places, self.starting = asyncio.Semaphore(at_once), asyncio.Lock()


class _Process:
    """One process, from its start to its end. Made in any thread; each attempt there belongs to one loop.

    Attributes:
        pool: whose it is; None: it makes one attempt after the other, of anybody.
        user: who has used it last.
        taken: how many attempts have a place there; ``limit``: how many there are.
        is_retired: nothing more is to begin there.
    """

    def __init__(self, services: str | None, pool: PoolNeeds | None, user: ProcessPool) -> None:
        """Started for an attempt, which has its place."""
        self.services, self.pool, self.user = services, pool, user
        self.taken, self.limit = 1, 1 if pool is None else pool.max_concurrency
        self.is_retired = False
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._talks: dict[int, _Talk] = {}
        self._exit_status: int | None = None
        self._idle: threading.Timer | None = None
        self.child = ChildProcess("ia_modules.pipeline.process_main", services, tell=self._tell)
        _living.add(self)
        if self._exit_status is not None:  # it was faster
            _living.discard(self)

    @property
    def is_usable(self) -> bool:
        """Whether something may begin there."""
        return self._exit_status is None and not self.is_retired

    def end_after(self, seconds: float) -> None:
        """End it unless something has begun there before."""

        def end() -> None:
            if _take_idle(self):
                end_together([self.child])

        self._idle = threading.Timer(seconds, end)
        self._idle.daemon = True
        self._idle.start()

    def stay(self) -> None:
        """Something begins there."""
        if self._idle is not None:
            self._idle.cancel()

    async def carry_out(
        self, talk: "_Talk", call: RemoteCall, timeout_seconds: float | None
    ) -> AttemptEnded | CodeChanged:
        """Have an attempt made, and do for it what it asks its owner for."""
        number, step_id = next(self._numbers), call.step_id
        talk.reply = partial(self._send, number)
        with self._lock:
            self._talks[number] = talk
            if self._exit_status is not None:  # it died while nobody listened
                talk.heard.put_nowait(self._exit_status)
        self._send(number, BeginCall(call))
        talking = asyncio.create_task(talk.to_end(), name=f"process:{step_id}")
        try:
            if not await _begins(talk.began, talking):
                raise StepError(step_id, f"its code and its services were not there within {LOAD_SECONDS:g} s.")
            await asyncio.wait([talking], timeout=timeout_seconds)
            if not talking.done():
                await self._stop(number, talking)
                raise StepTimeout(step_id, timeout_seconds or 0.0) from (None if talk.is_clean else not_stopped(call))
        except asyncio.CancelledError as cancelled:
            await self._stop(number, talking)
            if not talk.is_clean:
                raise cancelled from not_stopped(call)
            raise
        finally:
            talk.close()
            talking.cancel()
            self._let_go_of(number, talk)
        return talking.result()

    async def _stop(self, number: int, talking: "asyncio.Task[AttemptEnded | CodeChanged]") -> None:
        """Have what runs stopped, as far as it does."""
        self._send(number, CancelCall())
        await asyncio.wait([talking], timeout=STOP_SECONDS + (_ANSWER_SECONDS if self.limit > 1 else 0.0))
        if talking.done():
            talking.exception()  # it has been told to stop: whatever it says now is not asked for

    def _let_go_of(self, number: int, talk: "_Talk") -> None:
        """What did not stop ends with the process, where it is alone there; else when the process says nothing more."""
        is_silent = talk.ended is None and self._exit_status is None
        with self._lock:
            if not is_silent or self.limit == 1:
                del self._talks[number]
        if isinstance(talk.ended, AttemptEnded) and talk.ended.is_spent:
            self.retire()
        if self.limit == 1 and not talk.is_clean:
            self.retire()
            self.child.kill()
        elif is_silent:
            self.retire()
            self._kill_if_silent_after(_SILENT_SECONDS, number)

    def retire(self) -> None:
        """Let nothing more begin there."""
        self.is_retired = True
        _end_if_left(self)

    def _kill_if_silent_after(self, seconds: float, number: int) -> None:
        """End it unless it says by then what became of an attempt: its loop is held, and nothing there goes on."""

        def kill() -> None:
            with self._lock:
                is_silent = self._talks.pop(number, None) is not None
            if is_silent:
                self.child.kill()

        timer = threading.Timer(seconds, kill)
        timer.daemon = True
        timer.start()

    def _send(self, number: int, message: ToHost) -> None:
        self.child.send(numbered(number, encoded(message)))

    def end(self) -> None:
        """Let it close what it has, and end; without waiting for it."""
        if self._exit_status is None:
            threading.Thread(target=end_together, args=([self.child],), name="step-process:end", daemon=True).start()

    def _tell(self, message: bytes | int) -> None:
        """In the thread that reads."""
        if isinstance(message, int):
            with self._lock:
                self._exit_status = message
                talks = list(self._talks.values())
            _living.discard(self)
            for talk in talks:
                talk.hear(message)
            return
        number, body = read_number(message)
        news = read_by_owner(body)
        with self._lock:
            talk = self._talks.get(number)
            if talk is not None and talk.is_over:  # it was left, since it said nothing
                del self._talks[number]
        if talk is not None:  # else nobody waits for it any more
            talk.hear(news)


class _Talk:
    """The owner's side of one attempt.

    Attributes:
        reply: sends to the process; there once it has begun to be carried out.
        ended: what the process has said last; None: nothing yet, or it is gone.
        is_over: nobody waits for that any more.
    """

    def __init__(self, desk: Desk, step_id: str, others: "Sequence[_Process]" = ()) -> None:
        """``others``: have other code, and are retired when this one's is called."""
        self._desk, self._step_id, self._others, self.is_over = desk, step_id, others, False
        self._loop = asyncio.get_running_loop()
        self._answering = set[asyncio.Task[None]]()
        self.reply: Callable[[ToHost], None] = lambda message: None
        self.heard: asyncio.Queue[ToOwner | int] = asyncio.Queue()
        self.began = asyncio.Event()
        self.ended: AttemptEnded | CodeChanged | None = None

    @property
    def is_clean(self) -> bool:
        """Whether nothing of it runs any more, by what the process says."""
        return isinstance(self.ended, CodeChanged) or (self.ended is not None and self.ended.is_clean)

    def hear(self, news: ToOwner | int) -> None:
        """What the process says, or the status that it ended with. From any thread."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self.heard.put_nowait, news)

    async def to_end(self) -> AttemptEnded | CodeChanged:
        """Reply until the attempt is over.

        Raises:
            StepProcessEnded: its process is gone.
        """
        while True:
            match await self.heard.get():
                case AttemptBegan():
                    self.began.set()
                    for other in self._others:
                        other.retire()
                case AttemptEnded() | CodeChanged() as last:
                    self.ended = last
                    return last
                case WriteNews() | ReadWithin() | ReadTime() as request:
                    task = asyncio.create_task(self._answer(request), name=f"process:{self._step_id}:answer")
                    self._answering.add(task)
                    task.add_done_callback(self._answering.discard)
                case exit_status:
                    raise StepProcessEnded(self._step_id, exit_status)

    def close(self) -> None:
        """Nobody waits for answers any more."""
        self.is_over = True
        for task in self._answering:
            task.cancel()

    async def _answer(self, request: HostRequest) -> None:
        self.reply(await reply_to(request, self._desk))


async def _begins(began: asyncio.Event, talking: "asyncio.Task[AttemptEnded | CodeChanged]") -> bool:
    """Wait until the code runs, or the attempt is over; False: it takes too long."""
    beginning = asyncio.create_task(began.wait(), name="process:began")
    try:
        await asyncio.wait([beginning, talking], timeout=LOAD_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    finally:
        beginning.cancel()
    return began.is_set() or talking.done()


_living: set[_Process] = set()
_free: list[_Process] = []
"""Those of this program that have room: whatever runs next may use them."""
_places = threading.Lock()
_lines: WeakKeyDictionary[asyncio.AbstractEventLoop, WeakValueDictionary[str, _Line]] = WeakKeyDictionary()
"""Those of pools, by name: whichever executor an attempt has, it stands in the same line."""


def _with_room(call: RemoteCall, user: ProcessPool, others: Sequence[_Process]) -> _Process | None:
    """One that suits a call, but for ``others``, with a place for it; None: there is none."""
    suits = call.services, call.needs.pool
    suited = (each for each in reversed(list(_free)) if (each.services, each.pool) == suits and each not in others)
    process = next((each for each in suited if _take(each)), None)
    if process is not None:
        process.user = user
    return process


def _take(process: _Process) -> bool:
    """Have a place there; False: somebody else was faster, or nothing may begin there."""
    with _places:
        if process not in _free:
            return False
        if not process.is_usable or process.taken + 1 == process.limit:
            _free.remove(process)
        if not process.is_usable:
            return False
        process.taken += 1
    process.stay()
    return True


def _offer(process: _Process) -> None:
    """Let others have places there, as far as there are."""
    with _places:
        if process.is_usable and process.taken < process.limit and process not in _free:
            _free.append(process)


def _leave(process: _Process, idle_seconds: float) -> None:
    """Give a place back; whoever leaves last sees to the end of the process, now or in a while."""
    with _places:
        process.taken -= 1
        is_idle = not process.taken
    _offer(process)
    if is_idle and process.is_usable:
        process.end_after(idle_seconds)
    _end_if_left(process)


def _end_if_left(process: _Process) -> None:
    """End a process in which nothing runs, and nothing more is to."""
    with _places:
        ends = not process.taken and not process.is_usable
        if ends and process in _free:
            _free.remove(process)
    if ends:
        process.end()


def _take_idle(process: _Process) -> bool:
    """Have all of it, to end it; False: something runs there, or somebody else was faster."""
    with _places:
        if process not in _free or process.taken:
            return False
        _free.remove(process)
        return True


@atexit.register
def _end_all() -> None:
    end_together([each.child for each in list(_living)])
