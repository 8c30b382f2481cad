from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest

from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.testing import JournalContract
from tests.conformance.clock import Clock


class TestMemoryJournal(JournalContract):
    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def journals(self, clock: Clock) -> list[OperatorJournal]:
        return [MemoryJournal(now=clock)]

    @pytest.fixture
    def set_clock(self, clock: Clock) -> Callable[[datetime], Awaitable[None]]:
        return clock.set
