"""Both databases have the same schema, each in its own types. What is compared is what the databases themselves say."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ia_modules.database.driver import Dialect
from ia_modules.database.manager import DatabaseManager
from ia_modules.database.migrator import MIGRATIONS_FOLDER
from tests.postgres import database_on

SAME_TYPES = {
    "TEXT": {"text", "uuid", "json", "timestamp with time zone"},
    "INTEGER": {"integer", "bigint", "boolean"},
    "REAL": {"double precision"},
}


@dataclass
class Table:
    """What both databases can say of a table."""

    types: dict[str, str] = field(default_factory=dict[str, str])
    not_null: set[str] = field(default_factory=set[str])
    defaults: dict[str, str] = field(default_factory=dict[str, str])
    primary_key: list[str] = field(default_factory=list[str])
    foreign_keys: set[tuple[str, str, str, str]] = field(default_factory=set[tuple[str, str, str, str]])
    unique: dict[str, str] = field(default_factory=dict[str, str])
    checks: set[str] = field(default_factory=set[str])
    indexes: dict[str, str] = field(default_factory=dict[str, str])


async def sqlite_schema(database: DatabaseManager) -> dict[str, Table]:
    tables: dict[str, Table] = {}
    for row in await database.fetch_all_async("SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name"):
        name, sql = row["name"], row["sql"]
        table = tables[name] = Table()
        table.checks = set(re.findall(r"CONSTRAINT (\w+)\s+CHECK", sql))
        table.unique = {
            unique: columns.replace(" ", "")
            for unique, columns in re.findall(r"CONSTRAINT (\w+) UNIQUE \(([^)]*)\)", sql)
        }
        for column in await database.fetch_all_async(f"SELECT * FROM pragma_table_info('{name}') ORDER BY cid"):
            table.types[column["name"]] = column["type"]
            if column["notnull"]:
                table.not_null.add(column["name"])
            if column["dflt_value"] is not None:
                table.defaults[column["name"]] = column["dflt_value"]
        keys = await database.fetch_all_async(f"SELECT name FROM pragma_table_info('{name}') WHERE pk > 0 ORDER BY pk")
        table.primary_key = [key["name"] for key in keys]
        foreign = await database.fetch_all_async(
            'SELECT "table" AS parent, on_delete, group_concat("from" ORDER BY seq) AS ours,'
            f" group_concat(\"to\" ORDER BY seq) AS theirs FROM pragma_foreign_key_list('{name}') GROUP BY id"
        )
        table.foreign_keys = {(key["ours"], key["parent"], key["theirs"], key["on_delete"]) for key in foreign}
        for index in await database.fetch_all_async(f"SELECT name FROM pragma_index_list('{name}') WHERE origin = 'c'"):
            columns = await database.fetch_one_async(
                "SELECT group_concat(name || iif(\"desc\", ' DESC', '') ORDER BY seqno) AS listed"
                f" FROM pragma_index_xinfo('{index['name']}') WHERE key"
            )
            assert columns is not None
            table.indexes[index["name"]] = columns["listed"]
    return tables


POSTGRESQL_COLUMNS = """
SELECT attname, format_type(atttypid, NULL) AS type, attnotnull, pg_get_expr(adbin, adrelid) AS fallback
  FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
 WHERE attrelid = to_regclass(:name) AND attnum > 0 AND NOT attisdropped
 ORDER BY attnum
"""
POSTGRESQL_CONSTRAINTS = """
SELECT conname, contype, confrelid::regclass::text AS parent,
       (SELECT prosrc FROM pg_proc WHERE proname = 'ia_' || conname) AS rules,
       CASE confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'r' THEN 'RESTRICT' WHEN 'n' THEN 'SET NULL' ELSE 'NO ACTION' END
           AS on_delete,
       (SELECT string_agg(attname, ',' ORDER BY place) FROM unnest(conkey) WITH ORDINALITY AS key (number, place)
          JOIN pg_attribute ON attrelid = conrelid AND attnum = number) AS ours,
       (SELECT string_agg(attname, ',' ORDER BY place) FROM unnest(confkey) WITH ORDINALITY AS key (number, place)
          JOIN pg_attribute ON attrelid = confrelid AND attnum = number) AS theirs
  FROM pg_constraint WHERE conrelid = to_regclass(:name)
"""
POSTGRESQL_INDEXES = """
SELECT relname,
       (SELECT string_agg(pg_get_indexdef(indexrelid, place, true)
                          || CASE WHEN indoption[place - 1] & 1 = 1 THEN ' DESC' ELSE '' END, ',' ORDER BY place)
          FROM generate_series(1, indnkeyatts) AS place) AS listed
  FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
 WHERE indrelid = to_regclass(:name) AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""


async def postgresql_schema(database: DatabaseManager) -> dict[str, Table]:
    tables: dict[str, Table] = {}
    for row in await database.fetch_all_async(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname"
    ):
        name = {"name": row["relname"]}
        table = tables[row["relname"]] = Table()
        for column in await database.fetch_all_async(POSTGRESQL_COLUMNS, name):
            table.types[column["attname"]] = column["type"]
            if column["attnotnull"]:
                table.not_null.add(column["attname"])
            if column["fallback"] is not None:
                table.defaults[column["attname"]] = column["fallback"]
        for rule in await database.fetch_all_async(POSTGRESQL_CONSTRAINTS, name):
            match rule["contype"]:
                case b"c":
                    table.checks |= set(re.findall(r"THEN '(\w+)'", rule["rules"] or "")) or {rule["conname"]}
                case b"u":
                    table.unique[rule["conname"]] = rule["ours"]
                case b"p":
                    table.primary_key = rule["ours"].split(",")
                case b"f":
                    table.foreign_keys.add((rule["ours"], rule["parent"], rule["theirs"], rule["on_delete"]))
                case _:
                    assert rule["contype"] == b"n", rule  # NOT NULL, which the columns tell
        for index in await database.fetch_all_async(POSTGRESQL_INDEXES, name):
            table.indexes[index["relname"]] = index["listed"]
    return tables


async def test_both_databases_have_the_same_schema(
    sqlite_template: Path, postgresql_server: str, postgresql_template: str
) -> None:
    sqlite = DatabaseManager(f"sqlite:///{sqlite_template}")
    postgresql = DatabaseManager(database_on(postgresql_server, postgresql_template))
    ours, theirs = await sqlite_schema(sqlite), await postgresql_schema(postgresql)
    await sqlite.close()
    await postgresql.close()

    assert list(ours) == list(theirs)
    assert len(ours) >= 10
    for name, one in ours.items():
        other = theirs[name]
        assert list(one.types) == list(other.types), name
        for column, kind in one.types.items():
            assert other.types[column] in SAME_TYPES[kind], f"{name}.{column}: {kind} and {other.types[column]}"
        booleans = {column for column, kind in other.types.items() if kind == "boolean"}
        assert {check.rpartition("_boolean")[0] for check in one.checks - other.checks} == {
            f"{name.removesuffix('s').rpartition('_')[2]}_{column}" for column in booleans
        }, name
        assert other.checks <= one.checks, name
        fallbacks = {
            column: {"true": "1", "false": "0"}.get(value, value.removesuffix("::text"))
            for column, value in other.defaults.items()
        }
        assert one.defaults == fallbacks, name
        assert one.not_null == other.not_null, name
        assert one.primary_key == other.primary_key, name
        assert one.foreign_keys == other.foreign_keys, name
        assert one.unique == other.unique, name
        assert one.indexes == other.indexes, name
        times = {column for column, kind in other.types.items() if kind == "timestamp with time zone"}
        assert times == {column for column in one.types if column.endswith("_at")}, name


def rules(dialect: Dialect) -> dict[str, str]:
    """The text of every rule and every index in the dialect's migrations, whatever its line breaks."""
    found: dict[str, str] = {}
    for path in sorted((MIGRATIONS_FOLDER / dialect).glob("*.sql")):
        sql = re.sub(r"\s+", " ", re.sub(r"--[^\n]*", "", path.read_text()))
        for name, text in re.findall(r"CREATE (?:UNIQUE )?INDEX (\w+) (ON [^;]*);", sql):
            found[name] = text
        for constraint in re.finditer(r"CONSTRAINT (\w+) CHECK \((?!ia_)", sql):
            found[constraint[1]] = in_parentheses(sql[constraint.end() - 1 :])
        for rule in re.finditer(r"WHEN NOT \(", sql):
            text = in_parentheses(sql[rule.end() - 1 :])
            named = re.match(r" THEN '(\w+)'", sql[rule.end() - 1 + len(text) :])
            assert named is not None, text
            found[named[1]] = text
    return found


def in_parentheses(text: str) -> str:
    """``(a (b) c) d`` → ``(a (b) c)``."""
    depth = 0
    for place, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return text[: place + 1]
    pytest.fail(f"no end of {text[:50]}")


def test_checks_and_indexes_say_the_same_on_both() -> None:
    ours, theirs = rules("sqlite"), rules("postgresql")
    assert len(theirs) > 30
    assert {name: text for name, text in ours.items() if not name.endswith("_boolean")} == theirs
