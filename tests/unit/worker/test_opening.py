import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import DatabaseUnavailable
from ia_modules.worker import opening
from ia_modules.worker.opening import open_when_reachable


class ComingBack(DatabaseManager):
    """Cannot be reached the first times."""

    away = 3

    async def initialize(self) -> None:
        if self.away:
            self.away -= 1
            raise DatabaseUnavailable("it is away")
        await super().initialize()


async def test_a_server_that_is_away_is_waited_for_and_a_file_that_cannot_be_opened_is_not(
    database_url: str, dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_FIRST_PAUSE_SECONDS", 0.001)
    lines: list[str] = []
    database = ComingBack(database_url)
    try:
        if dialect == "sqlite":
            with pytest.raises(DatabaseUnavailable):
                await open_when_reachable(database, lines.append)
            assert lines == []
        else:
            await open_when_reachable(database, lines.append)
            assert lines == [
                "Waiting for the database: it is away",
                f"The database {database.safe_url} can be reached.",
            ]
            assert await database.fetch_one_async("SELECT 1 AS one") == {"one": 1}
    finally:
        await database.close()
