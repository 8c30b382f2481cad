"""What a search compares is the same on both databases, and on PostgreSQL whatever the database's own rule is."""

import sys

import pytest

from ia_modules.database.manager import DatabaseManager
from tests.conftest import closing_manager, new_name
from tests.postgres import database_on

CASED = [letter for letter in map(chr, range(sys.maxunicode)) if letter.lower() != letter or letter.upper() != letter]
FOLDED = "SELECT ia_fold(CAST(:text AS TEXT)) AS folded"


async def folded(database: DatabaseManager, text: str) -> str:
    row = await database.fetch_one_async(FOLDED, {"text": text})
    assert row is not None
    return row["folded"]


async def test_every_letter_with_a_case_is_compared_alike(direct_url: str) -> None:
    text = " ".join(CASED)
    async with DatabaseManager(direct_url) as postgresql, DatabaseManager("sqlite:///:memory:") as sqlite:
        assert (await folded(postgresql, text)).split() == (await folded(sqlite, text)).split()
        assert await folded(sqlite, text) == await folded(sqlite, text.swapcase())


@pytest.mark.parametrize(
    ("encoding", "expected"), [("UTF8", "ÄRGER SS"), ("LATIN1", "äRGER ß"), ("SQL_ASCII", "äRGER ß")]
)
def test_a_database_whose_rule_knows_ascii_only_can_be_searched(
    embedded_postgresql: str, encoding: str, expected: str
) -> None:
    name = new_name()
    new = f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"
    with closing_manager(DatabaseManager(embedded_postgresql, pool_size=1)) as admin:
        admin.execute(new)
        try:
            with DatabaseManager(database_on(embedded_postgresql, name)) as database:
                assert database.fetch_one(FOLDED, {"text": "ärger ß"}) == {"folded": expected}
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
