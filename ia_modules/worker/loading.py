"""Loading the code of stored versions for a worker: an import may take long, hang, or do whatever it likes."""

import asyncio
from functools import partial

from ia_modules.errors import PipelineDefinitionError, Problem
from ia_modules.models import PipelineVersionRecord
from ia_modules.pipeline.allowed_code import AllowedCode
from ia_modules.pipeline.code import LoadedPipeline, load_version
from ia_modules.tasks import in_thread


class VersionLoader:
    """Loads versions beside each other, each in a thread of its own; one of them is never loaded twice at once."""

    def __init__(self, *, allowed: AllowedCode, limit_seconds: float) -> None:
        """Load code.

        Args:
            allowed: as from :func:`ia_modules.pipeline.allowed_code.allowed_code`.
            limit_seconds: how long to wait for a version.
        """
        self._allowed, self._limit_seconds = allowed, limit_seconds
        self._loading: dict[str, asyncio.Future[LoadedPipeline]] = {}

    async def load(self, stored: PipelineVersionRecord) -> LoadedPipeline:
        """A version with its code as it is now. When this is cancelled, or its time is over, the thread goes on.

        Raises:
            PipelineDefinitionError: its code cannot be loaded here, or not within the limit.
        """
        key = f"{stored.pipeline_id}:{stored.version}"
        try:
            async with asyncio.timeout(self._limit_seconds):
                if before := self._loading.get(key):  # it may have read a file that has changed since
                    await asyncio.wait([before])
                loading = self._loading.get(key) or self._begin(key, stored)
                await asyncio.wait([loading])
        except TimeoutError:
            found = f"an import that has not ended after {self._limit_seconds:g} s"
            raise PipelineDefinitionError([Problem("$.steps", found, "modules that can be loaded")]) from None
        return loading.result()

    def _begin(self, key: str, stored: PipelineVersionRecord) -> asyncio.Future[LoadedPipeline]:
        loading = in_thread(partial(load_version, stored, allowed=self._allowed), f"load:{key}")
        self._loading[key] = loading
        loading.add_done_callback(partial(self._loaded, key))
        return loading

    def _loaded(self, key: str, loading: asyncio.Future[LoadedPipeline]) -> None:
        del self._loading[key]
        loading.exception()  # nobody may wait for it any more
