"""Loading the code of stored versions for a worker: an import may take long, hang, or do whatever it likes."""

import asyncio
from dataclasses import dataclass
from functools import partial

from ia_modules.errors import PipelineDefinitionError, Problem
from ia_modules.models import ClaimedExecution, PipelineVersionRecord, version_key
from ia_modules.pipeline.allowed_code import AllowedCode
from ia_modules.pipeline.code import LoadedPipeline, load_version
from ia_modules.tasks import in_thread

_KEPT = 50  # versions; one of a thousand steps takes some MB


@dataclass(frozen=True, slots=True)
class _KeptVersion:
    stored: PipelineVersionRecord
    loaded: LoadedPipeline


class VersionLoader:
    """Loads versions beside each other, each in a thread of its own; one of them is never loaded twice at once.

    The newest are kept. What was loaded is used again as long as loading would give the same: only that is looked at.
    """

    def __init__(self, *, allowed: AllowedCode, limit_seconds: float) -> None:
        """Load code.

        Args:
            allowed: as from :func:`ia_modules.pipeline.allowed_code.allowed_code`.
            limit_seconds: how long to wait for a version.
        """
        self._allowed, self._limit_seconds = allowed, limit_seconds
        self._loading: dict[str, asyncio.Future[LoadedPipeline]] = {}
        self._known: dict[str, _KeptVersion] = {}  # the one that was used last comes last

    def stored(self, claim: ClaimedExecution) -> PipelineVersionRecord | None:
        """The version of an execution, if it is kept. Nothing of a version changes but that its folder gets known."""
        known = self._known.get(claim.version_key)
        return known.stored if known is not None and known.stored.source_folder == claim.source_folder else None

    async def load(self, stored: PipelineVersionRecord) -> LoadedPipeline:
        """A version with its code as it is now. When this is cancelled, or its time is over, the thread goes on.

        Raises:
            PipelineDefinitionError: its code cannot be loaded here, or not within the limit.
        """
        key = version_key(stored.pipeline_id, stored.version)
        try:
            async with asyncio.timeout(self._limit_seconds):
                if before := self._loading.get(key):  # it may have read a file that has changed since
                    await asyncio.wait([before])
                loading = self._loading.get(key) or self._begin(key, stored)
                await asyncio.wait([loading])
        except TimeoutError:
            found = f"an import that has not ended after {self._limit_seconds:g} s"
            raise PipelineDefinitionError([Problem("$.steps", found, "modules that can be loaded")]) from None
        self._known.pop(key, None)
        self._known[key] = _KeptVersion(stored, loading.result())
        if len(self._known) > _KEPT:
            del self._known[next(iter(self._known))]
        return loading.result()

    def _begin(self, key: str, stored: PipelineVersionRecord) -> asyncio.Future[LoadedPipeline]:
        known = self._known.get(key)
        before = known.loaded if known is not None and known.stored.source_folder == stored.source_folder else None
        loading = in_thread(partial(load_version, stored, allowed=self._allowed, before=before), f"load:{key}")
        self._loading[key] = loading
        loading.add_done_callback(partial(self._loaded, key))
        return loading

    def _loaded(self, key: str, loading: asyncio.Future[LoadedPipeline]) -> None:
        del self._loading[key]
        loading.exception()  # nobody may wait for it any more
