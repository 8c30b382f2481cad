from collections.abc import Mapping
from pathlib import Path

import pytest

from ia_modules.database.driver import Dialect
from ia_modules.database.manager import DatabaseManager, Script, Statement
from ia_modules.database.named_params import to_positional
from ia_modules.database.queries import load_queries, parse_queries, read_queries
from ia_modules.errors import InvalidQuery

FILE = """-- What these are for.

-- name: first
-- A reason,
--
-- in two paragraphs.
SELECT 1
 WHERE :a = ':b'; -- kept

-- name: second
SELECT 2;
"""


def test_a_file_is_names_and_sentences() -> None:
    assert parse_queries(FILE, "f.sql") == [("first", "SELECT 1\n WHERE :a = ':b'; -- kept"), ("second", "SELECT 2;")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT 1;\n-- name: a\nSELECT 2;", "f.sql has SQL before its first name"),
        ("-- name: a b\nSELECT 1;", "f.sql has SQL before its first name"),
        ("-- name:\nSELECT 1;", "f.sql has the SQL name ''"),
        ("-- name: a-b\nSELECT 1;", "f.sql has the SQL name 'a-b'"),
        ("-- name: a\n-- nothing\n-- name: b\nSELECT 1;", "f.sql has no SQL under the name 'a'"),
    ],
)
def test_a_malformed_file_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidQuery, match=message):
        parse_queries(text, "f.sql")


def test_a_dialect_has_the_last_word_and_may_add(tmp_path: Path) -> None:
    (tmp_path / "sqlite").mkdir()
    (tmp_path / "a.sql").write_text("-- name: both\nSELECT 'shared';\n-- name: one\nSELECT 1;")
    (tmp_path / "sqlite" / "a.sql").write_text("-- name: both\nSELECT 'sqlite';\n-- name: extra\nSELECT 2;")
    assert read_queries(tmp_path, "sqlite") == {"both": "SELECT 'sqlite';", "one": "SELECT 1;", "extra": "SELECT 2;"}
    assert read_queries(tmp_path, "postgresql") == {"both": "SELECT 'shared';", "one": "SELECT 1;"}


def test_a_name_used_twice_in_one_folder_names_both_files(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("-- name: same\nSELECT 1;")
    (tmp_path / "b.sql").write_text("-- name: same\nSELECT 2;")
    with pytest.raises(InvalidQuery, match=r"'same' is used in .*a\.sql and again in .*b\.sql"):
        read_queries(tmp_path, "sqlite")


def test_an_unknown_name_is_an_error_that_offers_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("-- name: finish_execution\nSELECT 1;")
    with pytest.raises(InvalidQuery, match="No SQL is named 'finish_exection'.*finish_execution"):
        read_queries(tmp_path, "sqlite")["finish_exection"]


def test_the_manager_knows_its_own_dialect() -> None:
    for url, mark in (("sqlite:///:memory:", "sqlite_master"), ("postgresql://h/ia", "to_regclass")):
        assert mark in DatabaseManager(url).query("migrations_table_exists")
    with pytest.raises(InvalidQuery, match="No SQL is named 'nothing_like_it'"):
        DatabaseManager("sqlite:///:memory:").query("nothing_like_it")


def test_both_dialects_have_the_same_names_with_the_same_parameters() -> None:
    def parameters(queries: Mapping[str, str]) -> dict[str, set[str]]:
        return {name: set(to_positional(sql).names) for name, sql in queries.items()}

    assert parameters(load_queries("sqlite")) == parameters(load_queries("postgresql"))


async def test_every_query_is_understood_by_its_database(database: DatabaseManager, dialect: Dialect) -> None:
    """Each one is planned against the real schema, so a misspelt column shows here and not in production."""

    def explained(sql: str) -> Script[None]:
        if dialect == "postgresql":
            yield Statement(f"PREPARE checked AS {to_positional(sql).sql}", whole_file=True)
        else:
            yield Statement(f"EXPLAIN {sql}", (dict.fromkeys(to_positional(sql).names),))

    queries = load_queries(dialect)
    for name, text in queries.items():
        if text.startswith("CREATE TABLE"):
            continue
        sql = text.replace("{searches}", queries["found_executions"].rstrip(";")).replace("{conditions}", "TRUE")
        if dialect == "postgresql":
            await database.execute_async("DEALLOCATE ALL")
        try:
            await database.run(explained(sql))
        except InvalidQuery as error:
            pytest.fail(f"{name}: {error}")
