import pytest

from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.testing import JournalContract


class TestMemoryJournal(JournalContract):
    @pytest.fixture
    def journals(self) -> list[OperatorJournal]:
        return [MemoryJournal()]
