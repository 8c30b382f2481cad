"""How the journal in memory counts versions; what it promises as a journal, tests/conformance proves."""

import pytest

from ia_modules.errors import PipelineConflict
from ia_modules.pipeline.memory_journal import MemoryJournal


async def test_versions_are_counted_by_their_content() -> None:
    journal = MemoryJournal()
    assert (await journal.register_version("p", "P")).version is None
    first = await journal.register_version("p", "P", {"a": 1, "b": 2})
    again = await journal.register_version("p", "P", {"b": 2, "a": 1})
    assert (first.version, again.version) == (1, 1), "the order of keys is no other content"
    with pytest.raises(PipelineConflict, match="version 1"):
        await journal.register_version("p", "P", {"a": 2})
    second = await journal.register_version("p", "P", {"a": 2}, new_version=True)
    assert (second.pipeline_id, second.version) == (first.pipeline_id, 2)
