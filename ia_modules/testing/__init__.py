"""For tests of what is built on ia_modules: a suite for journals, and replays of recorded runs.

The promises of a journal, as a suite that anybody can hold theirs to; it needs pytest, pytest-asyncio and hypothesis:

    class TestMyJournal(JournalContract):
        @pytest.fixture
        def journals(self) -> list[OperatorJournal]:
            return [MyJournal()]

Steps of a recorded run, run once more and compared; it needs nothing beside:

    def test_scoring_gives_what_it_gave() -> None:
        replay("tests/runs/nightly.iarun", steps=["score"]).assert_same()
"""

from typing import TYPE_CHECKING, Any

from ia_modules.testing.replaying import Replay, replay, replay_async

if TYPE_CHECKING:
    from ia_modules.testing.journal_contract import JournalContract

__all__ = ["JournalContract", "Replay", "replay", "replay_async"]


def __getattr__(name: str) -> Any:
    if name != "JournalContract":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ia_modules.testing.journal_contract import JournalContract

    return JournalContract
