"""The promises of a journal, as a suite that anybody can hold theirs to.

    class TestMyJournal(JournalContract):
        @pytest.fixture
        def journals(self) -> list[OperatorJournal]:
            return [MyJournal()]

Needs pytest, pytest-asyncio and hypothesis.
"""

from ia_modules.testing.journal_contract import JournalContract

__all__ = ["JournalContract"]
