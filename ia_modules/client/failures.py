"""The verbs for failures in groups."""

from datetime import datetime, timedelta

from ia_modules.client.base import ClientBase
from ia_modules.errors import (
    FailureGroupNotFound,
)
from ia_modules.models import (
    PipelineRecord,
)
from ia_modules.payload import is_storable_id
from ia_modules.tracker.failures import FailurePage, FailureState, FailureSummary


class FailureVerbs(ClientBase):
    """Look at groups of failures, and say what is known of them."""

    async def failures(
        self,
        *,
        pipeline: str | None = None,
        since: datetime | timedelta | None = None,
        state: FailureState | None = None,
        limit: int = 50,
    ) -> FailurePage:
        """What failed alike since a time, in groups; the one that failed last comes first.

        Args:
            pipeline: slug or id; None: of all.
            since: a time, or how long ago by the database's clock; None: seven days.
            state: only these; None: all.
            limit: 1 to 200.

        Raises:
            PipelineNotFound
            InvalidArgument: the limit is out of range.
            ReadTooLong: there are too many to be counted in time.
        """
        pipeline_id = None if pipeline is None else (await self.pipeline(pipeline)).id
        return await self._failures.page(pipeline_id=pipeline_id, since=since, state=state, limit=limit)

    async def failure(self, failure_id: str, *, since: datetime | timedelta | None = None) -> FailureSummary:
        """One group of failures, counted since a time.

        Args:
            failure_id: the pipeline's slug or id, a full stop, and the ``failure_group`` of an execution.
            since: as in :meth:`failures`.

        Raises:
            FailureGroupNotFound
            ReadTooLong: there are too many to be counted in time.
        """
        pipeline, failure_group = await self._failure_group(failure_id)
        found = await self._failures.group(pipeline.id, failure_group, since=since)
        if found is None:
            raise FailureGroupNotFound(failure_id)
        return found

    async def mute_failure(
        self, failure_id: str, *, idempotency_key: str | None = None, actor: str | None = None
    ) -> None:
        """Say that a group of failures is known and needs nobody, until :meth:`unmute_failure`.

        Args:
            idempotency_key: names the request: sent again, it says nothing, whatever was said since.

        Raises:
            FailureGroupNotFound
        """
        await self._mark_failure(failure_id, "muted", None, idempotency_key, actor)

    async def unmute_failure(
        self, failure_id: str, *, idempotency_key: str | None = None, actor: str | None = None
    ) -> None:
        """Say that a group of failures is open, whatever was said of it before.

        Args:
            idempotency_key: as in :meth:`mute_failure`.

        Raises:
            FailureGroupNotFound
        """
        await self._mark_failure(failure_id, "open", None, idempotency_key, actor)

    async def mend_failure(
        self, failure_id: str, version: int, *, idempotency_key: str | None = None, actor: str | None = None
    ) -> None:
        """Say that a version mends a group of failures: it is open again when that or a later one fails so after this.

        Args:
            idempotency_key: as in :meth:`mute_failure`.

        Raises:
            FailureGroupNotFound, PipelineVersionNotFound
        """
        pipeline, _ = await self._failure_group(failure_id)
        await self._version(pipeline, version)
        await self._mark_failure(failure_id, "mended", version, idempotency_key, actor)

    async def _failure_group(self, failure_id: str) -> tuple[PipelineRecord, str]:
        """The pipeline and the group that an id names."""
        slug, _, failure_group = failure_id.rpartition(".")
        pipeline = await self.tracker.get_pipeline(slug) if slug else None
        if pipeline is None or not is_storable_id(failure_group):
            raise FailureGroupNotFound(failure_id)
        return pipeline, failure_group

    async def _mark_failure(
        self,
        failure_id: str,
        state: FailureState,
        version: int | None,
        idempotency_key: str | None,
        actor: str | None,
    ) -> None:
        pipeline, group = await self._failure_group(failure_id)
        by = actor or self._actor
        await self._failures.mark(pipeline.id, group, state, version=version, actor=by, idempotency_key=idempotency_key)
