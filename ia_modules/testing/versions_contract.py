"""What every journal promises about pipelines and their versions, as tests: a part of ``JournalContract``."""

from functools import partial

import pytest

from ia_modules.errors import PipelineConflict
from ia_modules.models import new_id
from ia_modules.pipeline.journal import OperatorJournal


class VersionsContract:
    """The promises about versions; the fixtures are those of the contract."""

    async def test_the_same_definition_is_the_same_version_and_another_must_be_asked_for(
        self, journal: OperatorJournal
    ) -> None:
        slug = f"versions-{new_id()}"
        first = await journal.register_version(slug, "Versions", {"a": 1, "b": 2})
        assert first.version == 1
        assert await journal.register_version(slug, "Versions", {"b": 2, "a": 1}) == first
        with pytest.raises(PipelineConflict, match="Store this one as its next version"):
            await journal.register_version(slug, "Versions", {"a": 2})
        second = await journal.register_version(slug, "Versions", {"a": 2}, new_version=True)
        assert (second.pipeline_id, second.version) == (first.pipeline_id, 2)
        assert await journal.register_version(slug, "Versions", {"a": 1, "b": 2}) == first

    async def test_a_version_that_is_only_to_be_run_leaves_the_current_one(self, journal: OperatorJournal) -> None:
        slug = f"versions-{new_id()}"
        register = partial(journal.register_version, slug, "Versions")
        assert (await register(None)).current_version is None
        first = await register({"a": 1}, make_current=False)
        assert (first.version, first.current_version) == (1, 1)
        second = await register({"a": 2}, new_version=True, make_current=False)
        assert (second.version, second.current_version) == (2, 1)
        assert (await register({"a": 2})).current_version == 2
        older = await register({"a": 1}, make_current=False)
        assert (older.version, older.current_version) == (1, 2)
        assert (await register(None)).current_version == 2
        with pytest.raises(PipelineConflict, match="version 2"):
            await register({"a": 3}, make_current=False)
