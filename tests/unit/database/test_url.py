from pathlib import Path
from urllib.parse import parse_qs, quote

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.database.url import parse_url, with_password, without_secrets
from ia_modules.errors import InvalidDatabaseUrl


def test_sqlite_urls_name_a_file_or_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_url("sqlite:///a/relative.db").target == str(tmp_path / "a/relative.db")
    assert parse_url("sqlite:////an/absolute.db").target == "/an/absolute.db"
    assert parse_url("sqlite:////not%00quoted.db").target == "/not%00quoted.db"
    assert parse_url("sqlite:///:memory:").target == ":memory:"


def test_a_relative_file_stays_the_same_when_the_folder_changes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    database = DatabaseManager("sqlite:///ia.db")
    monkeypatch.chdir("/")
    database.execute("CREATE TABLE t (a TEXT)")
    database.close_sync()
    assert (tmp_path / "ia.db").exists()


@pytest.mark.parametrize(
    ("url", "safe", "place"),
    [
        ("postgresql://localhost/ia", "postgresql://localhost/ia", "localhost:5432"),
        ("postgres://u@h:6543/ia", "postgresql://u@h:6543/ia", "h:6543"),
        ("postgresql://u:secret@h/ia", "postgresql://u:***@h/ia", "h:5432"),
        ("postgresql://u:s%40cret@h1,h2:2/ia", "postgresql://u:***@h1,h2:2/ia", "h1:5432, h2:2"),
        ("postgresql://u@[::1]:5/ia", "postgresql://u@[::1]:5/ia", "[::1]:5"),
        ("postgresql://u@[::1]/ia", "postgresql://u@[::1]/ia", "[::1]:5432"),
        ("postgresql:///ia?host=/tmp/pg&port=7", "postgresql:///ia?host=/tmp/pg&port=7", "/tmp/pg:7"),
        ("postgresql:///ia?host=h&password=secret", "postgresql:///ia?host=h&password=***", "h:5432"),
        ("postgresql://u@h/ia?Password=secret", "postgresql://u@h/ia?Password=***", "h:5432"),
        ("postgresql://u@h/ia?SSLPASSWORD=secret", "postgresql://u@h/ia?SSLPASSWORD=***", "h:5432"),
        ("postgresql://u@h/ia?pass%77ord=secret", "postgresql://u@h/ia?password=***", "h:5432"),
        ("postgresql://u@h/ia?passfile=/a", "postgresql://u@h/ia?passfile=/a", "h:5432"),
        ("postgresql://h/ia?user=u%40server", "postgresql://h/ia?user=u%40server", "h:5432"),
        ("postgresql://h/a%40b", "postgresql://h/a%40b", "h:5432"),
        ("postgresql://%2Ftmp%2Fpg/ia", "postgresql://%2Ftmp%2Fpg/ia", "/tmp/pg:5432"),
        ("postgresql://", "postgresql://", "the local server (port 5432)"),
        ("postgresql://h/ia?keepalives=1&sslmode=disable", "postgresql://h/ia?sslmode=disable", "h:5432"),
        ("postgresql://h/ia?channel_binding=prefer", "postgresql://h/ia", "h:5432"),
    ],
)
def test_postgresql_urls_are_shown_without_their_password(url: str, safe: str, place: str) -> None:
    parsed = parse_url(url)
    assert (parsed.safe, parsed.place) == (safe, place)
    assert "secret" not in repr(parsed)
    assert "secret" not in repr(DatabaseManager(url))


def test_what_libpq_calls_otherwise_is_translated_for_asyncpg() -> None:
    parsed = parse_url("postgresql://h/ia?connect_timeout=3&fallback_application_name=mine&tcp_user_timeout=1")
    assert parsed.connect_timeout_seconds == 3.0
    assert parsed.target == "postgresql://h/ia?application_name=mine"
    assert parse_url("postgresql://h/ia").target == "postgresql://h/ia?application_name=ia_modules"
    assert parse_url("postgresql://h/ia").connect_timeout_seconds is None


def test_settings_of_the_server_are_apart_from_what_a_connection_needs() -> None:
    parsed = parse_url("postgresql://h/ia?search_path=a,b&sslmode=disable&user=me&geqo=off&target_session_attrs=any")
    assert parsed.settings == {"search_path": "a,b", "geqo": "off"}
    expected = "application_name=ia_modules&sslmode=disable&user=me&target_session_attrs=any"
    assert parsed.target == f"postgresql://h/ia?{expected}"


@pytest.mark.parametrize(
    ("options", "settings", "stays"),
    [
        ("-c search_path=a,b", {"search_path": "a,b"}, False),
        (" -csearch_path=a  --work-mem=5MB ", {"search_path": "a", "work_mem": "5MB"}, False),
        (r"-c search_path=a\ b\\c -c x.y=", {"search_path": r"a b\c", "x.y": ""}, False),
        ("reference=tenant", {}, True),
        ("-c search_path=a endpoint=b", {}, True),
    ],
)
def test_options_are_settings_where_all_of_them_are(options: str, settings: dict[str, str], *, stays: bool) -> None:
    parsed = parse_url(f"postgresql://h/ia?options={quote(options)}")
    assert parsed.settings == settings
    assert ("options=" in parsed.target) == stays


def test_the_mode_of_a_pooler_may_be_named() -> None:
    assert parse_url("postgresql://h/ia").pooler is None
    named = parse_url("postgresql://h/ia?pooler=transaction")
    assert (named.pooler, named.safe) == ("transaction", "postgresql://h/ia?pooler=transaction")
    assert "pooler" not in named.target
    assert named.settings == {}


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ia.db", "does not begin with a scheme; expected sqlite:///file.db"),
        ("", "does not begin with a scheme"),
        ("mysql://u:secret@h/ia", "begins with mysql://; expected sqlite:///file.db"),
        ("postgresql+asyncpg://u:secret@h/ia", "ia_modules chooses the driver: write postgresql://"),
        ("sqlite+aiosqlite:///ia.db", "write sqlite://"),
        ("sqlite://", "names no file"),
        ("sqlite:///", "names no file"),
        ("sqlite:////folder/", "names no file"),
        ("sqlite://relative.db", "two slashes before its file"),
        ("sqlite:///ia.db?mode=ro", "has options"),
        ("postgresql://u:secret@with@h/ia", "written %23 and %40"),
        ("postgresql://u:12/secret@h/ia", "'/' and '?' are written %2F"),
        ("postgresql://u:5432/secret@h/ia?application_name=x", "'/' and '?' are written %2F"),
        ("postgresql://u:12@x/secret@h/ia", "'/' and '?' are written %2F"),
        ("postgresql://u:12?x=secret@h/ia", "'/' and '?' are written %2F"),
        ("postgresql://u:secret@h\0st/ia", "has U+0000 in it"),
        ("postgresql://u:secret@h/ia%00", "has U+0000 in it"),
        ("sqlite:///a\0b.db", "has U+0000 in it"),
        ("sqlite:///a\ud800.db", "has U+D800 in it"),
        ("postgresql://u:secret#1@h/ia", "written %23 and %40"),
        ("postgresql://u:secret/1@h/ia", "'/' and '?' are written %2F"),
        ("postgresql://u@h:secret/ia", "The port in the PostgreSQL URL is not a number"),
        ("postgresql://u:secret?1@h/ia", "cannot be parsed"),
        ("postgresql://u:secret@[::1/ia", "cannot be parsed"),
        ("postgresql://h/ia?secret", "cannot be parsed"),
        ("postgresql://h/ia?connect_timeout=soon", "connect_timeout='soon'; expected whole seconds"),
        ("postgresql://h/ia?pooler=statement", "pooler='statement'; expected transaction or session"),
        ("postgresql://h/ia?channel_binding=require", "channel_binding=require, which asyncpg cannot"),
    ],
)
def test_a_url_that_cannot_be_understood_says_what_is_expected_and_no_password(url: str, message: str) -> None:
    with pytest.raises(InvalidDatabaseUrl) as caught:
        DatabaseManager(url)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_the_clock_of_postgresql_cannot_be_handed_in() -> None:
    from datetime import UTC, datetime

    with pytest.raises(ValueError, match=r"replace the function ia_now\(\)"):
        DatabaseManager("postgresql://h/ia", now=lambda: datetime.now(UTC))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:secret@h:1,i/ia?sslmode=disable", "postgresql://u@h:1,i/ia?sslmode=disable"),
        ("postgres://u:@h/ia", "postgres://u@h/ia"),
        ("PostgreSQL://:secret@/ia", "PostgreSQL://@/ia"),
        ("postgresql:///ia?password=secret&host=/run", "postgresql:///ia?host=/run"),
        ("postgresql:///ia?pass%77ord=secret", "postgresql:///ia"),
        ("postgresql://u:s%2Fecret@h/ia?sslpassword=secret&passfile=/f", "postgresql://u@h/ia?passfile=/f"),
    ],
)
def test_a_url_without_its_secrets_is_the_same_in_all_else(url: str, shown: str) -> None:
    assert without_secrets(url) == shown
    assert without_secrets(shown) == shown
    assert with_password(url, "other") == url


@pytest.mark.parametrize("url", ["postgresql://u@h/ia", "postgresql:///ia?host=/run", "postgres://h/ia"])
def test_a_password_is_added_to_a_url_that_has_none(url: str) -> None:
    full = with_password(url, "s&=/@:#é%41")
    assert without_secrets(full) == url
    [password] = parse_qs(full.partition("?")[2])["password"]
    assert password == "s&=/@:#é%41"
    assert "41" not in parse_url(full).safe
    assert with_password(url, None) == with_password(url, "") == url


@pytest.mark.parametrize("text", ["sqlite:///a:b@c?password=x", "", "u:secret@h", "mysql://u:secret@h/ia"])
def test_what_names_no_postgresql_is_left_alone(text: str) -> None:
    assert without_secrets(text) == with_password(text, "secret") == text
