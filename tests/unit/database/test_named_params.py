import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia_modules.database.named_params import to_positional

LEFT_ALONE = [
    "'a :name in a string'",
    "'it''s :name'",
    r"'a backslash \'",
    r"E'it\'s :name'",
    r"e'\\'",
    "U&'d\\0061t\\+000061 :name'",
    '"a :name column"',
    '"with ""quotes"" :name"',
    "-- a :name comment\n",
    "/* a :name comment */",
    "/* nested /* :name */ still :name */",
    "$$ a :name body $$",
    "$body$ a :name $$ body $body$",
    "$été$ :name $été$",
    "::text",
    "(a)::text",
    "f(x := 1)",
    "a[1:2]",
    "a[lo:hi]",
    "a[f(x):n]",
    "a[1:]",
    "type'2020:01'",
]


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_what_is_no_parameter_is_left_alone(text: str) -> None:
    assert to_positional(f"SELECT {text}") == (f"SELECT {text}", ())


@pytest.mark.parametrize(
    ("sql", "positional", "names"),
    [
        ("SELECT :a", "SELECT $1", ("a",)),
        ("SELECT :a, :b, :a", "SELECT $1, $2, $1", ("a", "b")),
        ("SELECT :a::text", "SELECT $1::text", ("a",)),
        ("SELECT CAST(:a AS json)->>':b'", "SELECT CAST($1 AS json)->>':b'", ("a",)),
        ("SELECT x=:a", "SELECT x=$1", ("a",)),
        ("SELECT(:a)", "SELECT($1)", ("a",)),
        ("SELECT ARRAY[:a, :b]", "SELECT ARRAY[$1, $2]", ("a", "b")),
        ("SELECT ARRAY[x AND :a]", "SELECT ARRAY[x AND $1]", ("a",)),
        ("SELECT v[:lo:hi]", "SELECT v[$1:hi]", ("lo",)),
        ("SELECT v[1 : :hi]", "SELECT v[1 : $1]", ("hi",)),
        ("SELECT v[:lo : :hi]", "SELECT v[$1 : $2]", ("lo", "hi")),
        ("SELECT v[1:2] = :a", "SELECT v[1:2] = $1", ("a",)),
        ("SELECT 'x' /* ' */ , :a", "SELECT 'x' /* ' */ , $1", ("a",)),
        ("SELECT :a -- :b", "SELECT $1 -- :b", ("a",)),
        ("-- it's\nSELECT :a", "-- it's\nSELECT $1", ("a",)),
        ("SELECT a$b$, :a, c$b$", "SELECT a$b$, $1, c$b$", ("a",)),
        ("SELECT :naïve_1", "SELECT $1", ("naïve_1",)),
        ("SELECT 'unterminated :a", "SELECT 'unterminated :a", ()),
        ("SELECT :a /* unterminated :b", "SELECT $1 /* unterminated :b", ("a",)),
    ],
)
def test_a_parameter_becomes_its_position(sql: str, positional: str, names: tuple[str, ...]) -> None:
    assert to_positional(sql) == (positional, names)


def test_a_position_of_its_own_is_refused() -> None:
    with pytest.raises(ValueError, match=r"found the positional parameter \$1; expected names"):
        to_positional("SELECT $1, :a")


fragments = st.one_of(
    st.sampled_from(LEFT_ALONE).map(lambda text: (text, "")),
    st.from_regex(r"[a-z_][a-z0-9_]{0,3}", fullmatch=True).map(lambda name: (f":{name}", name)),
)


@given(st.lists(fragments))
def test_every_mixture_keeps_its_literals_and_numbers_its_names_in_order(parts: list[tuple[str, str]]) -> None:
    sql, names = to_positional("\n".join(text for text, _ in parts))
    assert names == tuple(dict.fromkeys(name for _, name in parts if name))
    expected = [f"${names.index(name) + 1}" if name else text for text, name in parts]
    assert sql == "\n".join(expected)


@given(st.text(alphabet=":'\"$-/*[]\\aE1 \n"))
def test_any_text_gives_numbers_without_gaps_or_is_refused(sql: str) -> None:
    try:
        positional, names = to_positional(sql)
    except ValueError:
        assert re.search(r"\$\d", sql)
        return
    assert len(set(names)) == len(names)
    assert len(positional) <= len(sql) + 2 * sql.count(":")
    if not names:
        assert positional == sql


@given(st.text())
def test_a_quoted_text_is_never_touched(text: str) -> None:
    for quoted in ("'" + text.replace("'", "''") + "'", '"' + text.replace('"', '""') + '"'):
        assert to_positional(f"SELECT {quoted}") == (f"SELECT {quoted}", ())
