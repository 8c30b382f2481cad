import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.__main__ import check
from benchmarks.figures import Better, Figure, Measured, as_table, compare, from_json, ratio, to_json
from benchmarks.race import Program, alternate, figures_of
from benchmarks.sampling import Sample

NUMBERS = st.floats(min_value=0.001, max_value=1e6)


def figure(*rounds: float, better: Better | None = "more", case: str = "runner", unit: str = "of the limit") -> Figure:
    return Figure("SQLite", case, unit, rounds, better)


def measured(*figures: Figure) -> Measured:
    return Measured(figures, {"at": "2026-11-28", "rounds": 5})


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=7))
def test_a_ratio_is_taken_within_each_round(rounds: list[tuple[float, float]]) -> None:
    ours, theirs = (figure(*numbers) for numbers in zip(*rounds, strict=True))
    of_it = ratio(ours, theirs, "of it")
    assert of_it.unit == "of it"
    assert of_it.median == statistics.median(mine / other for mine, other in rounds)


@given(
    st.lists(
        st.builds(
            Figure,
            database=st.sampled_from(["SQLite", "PostgreSQL", ""]),
            case=st.text(),
            unit=st.text(),
            rounds=st.lists(NUMBERS, min_size=1).map(tuple),
            better=st.sampled_from(["more", "less", None]),
        )
    ),
    st.lists(st.text()),
)
def test_figures_come_back_from_their_file_as_they_were(figures: list[Figure], missing: list[str]) -> None:
    sections = {"rates": Measured(tuple(figures), {"at": "now", "rounds": 5}, tuple(missing))}
    assert from_json(to_json(sections, {"cores": 2})) == (sections, {"cores": 2})


@pytest.mark.parametrize(
    ("better", "now", "lost"),
    [("more", 0.84, True), ("more", 0.86, False), ("more", 2.0, False), ("less", 1.2, True), ("less", 1.17, False)],
)
def test_more_than_a_seventh_worse_is_lost_whichever_way_is_better(better: Better, now: float, lost: bool) -> None:
    before = figure(1.0, better=better)
    after = figure(now, better=better)
    assert compare([after], [before]) == [(after, before, lost)]
    assert check({"rates": measured(after)}, {"rates": measured(before)}) == int(lost)


def test_only_what_does_not_depend_on_how_busy_a_machine_is_and_was_kept_is_compared() -> None:
    rate, new = figure(10.0, better=None, unit="executions/s"), figure(0.1, case="new")
    assert compare([rate, new], [figure(100.0, better=None, unit="executions/s")]) == []


def test_a_table_has_a_line_for_a_case_and_a_column_for_a_unit() -> None:
    figures = [
        figure(1234.5, 1000, 5000, unit="executions/s"),
        figure(0.123, case="tracker"),
        figure(56.78, case="tracker", unit="executions/s"),
        Figure("PostgreSQL", "runner", "executions/s", (9.876,)),
    ]
    assert as_table(figures).splitlines() == [
        "| SQLite | executions/s | of the limit |",
        "|---|---:|---:|",
        "| runner | 1,234 |  |",
        "| tracker | 56.8 | 0.12 |",
        "",
        "| PostgreSQL | executions/s |",
        "|---|---:|",
        "| runner | 9.88 |",
    ]


def test_each_is_measured_once_a_round_and_each_other_round_backwards() -> None:
    order: list[str] = []

    def measure(name: str) -> int:
        order.append(name)
        return len(order)

    found = alternate({name: lambda name=name: measure(name) for name in "abc"}, 3)
    assert "".join(order) == "abccbaabc"
    assert found == {"a": [1, 6, 7], "b": [2, 5, 8], "c": [3, 4, 9]}


def test_rates_and_processor_time_are_of_units_and_ratios_of_rates() -> None:
    limit = Program("limit", (), {}, units=5, unit="steps/s")
    chain = Program("chain", (), {"limit": "of the limit"}, units=100, unit="steps/s")
    samples = {
        "limit": [Sample(40, 2.0, 1.0), Sample(20, 2.0, 1.0)],
        "chain": [Sample(1, 4.0, 3.0), Sample(1, 1.0, 1.0)],
    }
    found = {each.key: each.rounds for each in figures_of("SQLite", None, [limit, chain], samples)}
    assert found == {
        ("SQLite", "limit", "steps/s"): (100.0, 50.0),
        ("SQLite", "limit", "CPU ms each"): (5.0, 10.0),
        ("SQLite", "chain", "steps/s"): (25.0, 100.0),
        ("SQLite", "chain", "CPU ms each"): (30.0, 10.0),
        ("SQLite", "chain", "of the limit"): (0.25, 2.0),
    }
