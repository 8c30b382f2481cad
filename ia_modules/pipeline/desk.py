"""What the owner of an attempt does for the process that makes it: writes under its lease, and reads."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime

from msgspec.structs import replace

from ia_modules.errors import DatabaseClosed, LeaseLost
from ia_modules.models import RunPath, StepExecutionId, StepExecutionRecord, StepPlace, StepStatus
from ia_modules.pipeline.inner import InnerRecorder
from ia_modules.pipeline.remote_calls import DeskFacts, WriteNews
from ia_modules.transitions import ELSEWHERE, StepStart, StepUpdate


class AttemptDesk:
    """The desk of one attempt, as :class:`ia_modules.pipeline.remote_calls.OwnersDesk`."""

    def __init__(
        self,
        recorder: InnerRecorder,
        attempt: StepExecutionId,
        *,
        again_upto: int = 0,
        drops_output: bool = False,
        cluster: str | None = None,
    ) -> None:
        """Nothing is written yet.

        Args:
            again_upto, drops_output: as of :class:`ia_modules.pipeline.inner.InnerLevel`.
            cluster: where the attempt runs already, as an earlier owner has put it on record; None: here.
        """
        self._recorder, self._id, self._cluster = recorder, attempt, cluster
        self._again_upto, self._drops_output = again_upto, drops_output

    @property
    def leaves(self) -> bool:
        return self._recorder.leaves

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is on record that the attempt runs elsewhere."""
        return self._cluster is not None

    def facts(self) -> DeskFacts:
        recorder = self._recorder
        return DeskFacts(
            epoch=recorder.lease.epoch,
            worker=recorder.journal.owner,
            capture=recorder.capture,
            again_upto=self._again_upto,
            drops_output=self._drops_output,
        )

    async def mark_elsewhere(self, cluster: str) -> None:
        if self._cluster != cluster:
            await self._write_own(StepUpdate(step_execution_id=self._id, awaits=f"{ELSEWHERE}{cluster}"))
            self._cluster = cluster

    async def put_on_record(self, place: StepPlace) -> None:
        update = StepUpdate(step_execution_id=self._id, place=place)
        if self._cluster is None or self._cluster == place.cluster:
            await self._write_own(update)
        else:  # another has taken the place of the cluster since
            await self._write_own(replace(update, awaits=f"{ELSEWHERE}{place.cluster}"))
            self._cluster = place.cluster

    async def record(self, news: WriteNews) -> None:
        starts = news.starts
        if self._cluster is not None and starts:
            awaits = f"{ELSEWHERE}{self._cluster}"
            starts = tuple(replace(each, awaits=awaits) if _runs(each) else each for each in starts)
        with self._noticing():
            await self._recorder.write(
                starts=starts, updates=news.updates, logs=news.logs, asks=news.asks, expires=news.expires
            )

    async def read_within(self, path: RunPath) -> list[StepExecutionRecord]:
        return await self._recorder.journal.get_execution_steps(self._recorder.execution_id, within=path)

    async def read_time(self) -> datetime:
        return await self._recorder.journal.now()

    async def _write_own(self, update: StepUpdate) -> None:
        with self._noticing():
            await self._recorder.write(updates=(update,))

    @contextmanager
    def _noticing(self) -> Generator[None]:
        """Notices when another owns the execution, or this process writes nothing any more."""
        try:
            yield
        except (LeaseLost, DatabaseClosed):
            self._recorder.leaves = True
            raise


def _runs(start: StepStart) -> bool:
    return start.status is StepStatus.RUNNING
