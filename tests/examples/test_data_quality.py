import csv
import re
from pathlib import Path
from typing import Any

import pytest

from examples.data_quality import airports
from ia_modules.models import ExecutionStatus
from ia_modules.pipeline.step_modules import StepModules
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.examples.runs import EXAMPLES, routes, run_example, taken

FOLDER = EXAMPLES / "data_quality"
REPAIRS = ["spacing", "sign", "blank", "foreign", "duplicate"]
LIMITS = airports.Limits()

HEADER = "iata,name,city,state,country,latitude,longitude\n"


def table(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "table.csv"
    path.write_text(HEADER + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def kinds(rows: list[airports.Row]) -> list[tuple[int, str]]:
    return [(problem.line, problem.kind) for problem in airports.problems(rows, LIMITS)]


async def test_the_loop_repairs_one_kind_after_the_other_and_publishes(tracker: ExecutionTracker) -> None:
    recorded = await run_example(tracker, "data_quality")

    assert recorded.execution.status is ExecutionStatus.COMPLETED
    assert recorded.output == {
        "verdict": "published",
        "quality": 1.0,
        "history": [
            {"after": "ingest", "quality": 0.9525, "problems": 46},
            {"after": "spacing", "quality": 0.962, "problems": 40},
            {"after": "sign", "quality": 0.9731, "problems": 33},
            {"after": "blank", "quality": 0.9873, "problems": 15},
            {"after": "foreign", "quality": 0.9936, "problems": 4},
            {"after": "duplicate", "quality": 1.0, "problems": 0},
        ],
        "problems": {},
        "rows": 624,
        "changes": 40,
        "files": [],
    }
    validated, repaired = recorded.attempts("validate"), recorded.attempts("repair")
    assert [(step.iteration, step.attempt) for step in validated] == [(n, 1) for n in range(1, 7)]
    assert [(step.iteration, step.attempt) for step in repaired] == [(n, 1) for n in range(1, 6)]
    assert [taken(step) for step in validated] == [["repair"]] * 5 + [["publish"]]
    assert [result["kind"] for result in recorded.results("repair")] == REPAIRS
    assert [result["changes"] for result in recorded.results("repair")] == [6, 8, 18, 4, 4]
    assert [result["rows_removed"] for result in recorded.results("repair")] == [0, 0, 0, 4, 4]
    assert recorded.attempts("quarantine") == []


async def test_each_iteration_has_its_own_inputs_reasons_and_lines(tracker: ExecutionTracker) -> None:
    recorded = await run_example(tracker, "data_quality")
    first, second, *_ = recorded.attempts("validate")
    [ingested] = recorded.results("ingest")
    assert first.input_data == {"table": ingested}
    assert second.input_data == {
        "table": ingested,
        "repairs": ["spacing"],
        "history": [{"after": "ingest", "quality": 0.9525, "problems": 46}],
    }
    assert routes(first)["publish"] == (False, "result.quality is 0.9525 < 0.995")
    assert routes(first)["quarantine"] == (False, "another path was taken: to repair")
    assert "602 of 632 rows are fine: quality 0.9525" in recorded.lines("validate")
    assert "line 234: latitude: '14.21577583' is now '-14.21577583'" in recorded.lines("repair")
    assert sum(step.input_bytes + step.output_bytes for step in recorded.steps) < 40_000  # the table has 39,103


async def test_too_few_repairs_put_the_table_aside(tracker: ExecutionTracker, tmp_path: Path) -> None:
    input_data = {"max_repairs": 2, "output_folder": str(tmp_path / "out")}
    recorded = await run_example(tracker, "data_quality", input_data)
    assert recorded.output["verdict"] == "quarantined"
    assert recorded.output["quality"] == 0.9731
    assert recorded.output["problems"] == {"blank": 24, "foreign": 4, "duplicate": 5}
    assert recorded.output["files"] == [str(tmp_path / "out" / "airports.problems.csv")]
    last = recorded.attempts("validate")[-1]
    assert routes(last)["repair"] == (False, "result.repairs_made is 2 ≥ 2")
    assert taken(last) == ["quarantine"]
    with (tmp_path / "out" / "airports.problems.csv").open(encoding="utf-8", newline="") as opened:
        assert len(list(csv.DictReader(opened))) == 33


async def test_what_may_not_be_repaired_stays_and_ends_the_loop(tracker: ExecutionTracker) -> None:
    recorded = await run_example(tracker, "data_quality", {"repairs": ["spacing", "blank"], "max_repairs": 10})
    assert recorded.output["verdict"] == "quarantined"
    assert [result["kind"] for result in recorded.results("repair")] == ["spacing", "blank"]
    last = recorded.attempts("validate")[-1]
    assert not routes(last)["repair"][0]
    assert "missing" in routes(last)["repair"][1]


async def test_a_table_that_is_good_enough_is_published_as_it_is(tracker: ExecutionTracker) -> None:
    recorded = await run_example(tracker, "data_quality", {"threshold": 0.95})
    assert recorded.output["verdict"] == "published"
    assert recorded.output["changes"] == 0
    assert recorded.attempts("repair") == []


async def test_what_is_published_is_right_and_says_what_was_changed(tracker: ExecutionTracker, tmp_path: Path) -> None:
    recorded = await run_example(tracker, "data_quality", {"output_folder": str(tmp_path / "out")})
    clean, changes = tmp_path / "out" / "airports.clean.csv", tmp_path / "out" / "airports.changes.csv"
    assert recorded.output["files"] == [str(clean), str(changes)]
    assert sorted(path.name for path in clean.parent.iterdir()) == ["airports.changes.csv", "airports.clean.csv"]

    rows = {row.cells["iata"]: row.cells for row in airports.read_table(clean).rows}
    assert len(rows) == 624
    assert rows["GUM"]["longitude"] == "144.7959825"
    assert rows["PPG"]["latitude"] == "-14.33102278"
    assert (rows["SKA"]["city"], rows["SKA"]["state"]) == ("Spokane", "WA")
    assert rows.keys().isdisjoint({"CLD", "HHH", "ROP", "SPN"})
    assert "CRQ" in rows
    assert list(airports.problems(airports.read_table(clean).rows, LIMITS)) == []

    with changes.open(encoding="utf-8", newline="") as opened:
        made = list(csv.DictReader(opened))
    assert len(made) == 40
    guam = next(change for change in made if change["before"] == "-144.7959825")
    assert guam == {
        "line": guam["line"],
        "kind": "sign",
        "column": "longitude",
        "before": "-144.7959825",
        "after": "144.7959825",
        "why": "where GU is",
    }
    original = (FOLDER / "airports.csv").read_text(encoding="utf-8").splitlines()
    assert original[int(guam["line"]) - 1].startswith("GUM,")


async def test_a_file_that_changed_meanwhile_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path, "ABC,Here,Town,WA,USA,47.1,-120.1")
    config: dict[str, Any] = {"repairs": REPAIRS, "same_place_km": 0.5, "nearby_km": 25}
    validate = StepModules(FOLDER).attribute("steps", "Validate")("validate", config)
    ingested = {"file": str(path), "sha256": airports.read_table(path).sha256, "rows": 1}
    assert (await validate.run({"table": ingested}))["quality"] == 1.0
    path.write_text(HEADER + "ABC,Here,Town,WA,USA,47.2,-120.1\n", encoding="utf-8")
    with pytest.raises(ValueError, match="has changed since it was ingested"):
        await validate.run({"table": ingested})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("iata,name\nABC,Here\n", "has no column city, state, country, latitude, longitude; it has iata, name"),
        ("", "has no column iata"),
        (HEADER, "has no rows"),
    ],
)
def test_what_is_no_such_table_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(reason)):
        airports.read_table(path)


def test_rows_keep_the_line_they_have_in_the_file(tmp_path: Path) -> None:
    path = table(tmp_path, '"A","Two\nlines",T,WA,USA,47,-120', "B,Short")
    rows = airports.read_table(path).rows
    assert [(row.line, row.cells["iata"]) for row in rows] == [(3, "A"), (4, "B")]
    assert kinds(rows[1:]) == [(4, "blank")] * 5 + [(4, "place")]


def test_problems_without_a_repair_are_found_too(tmp_path: Path) -> None:
    path = table(
        tmp_path, "A,One,T,WA,USA,47,-120", "A,Two,T,WA,USA,46,-120", "B,Far,T,WA,USA,97,-120", "C,N,T,WA,USA,x,1"
    )
    assert kinds(airports.read_table(path).rows) == [(3, "code"), (4, "place"), (5, "place")]
    with pytest.raises(ValueError, match="no repair for 'code'; there are spacing, sign"):
        airports.repair([], "code", LIMITS)


def test_both_signs_of_the_longitude_are_right_in_alaska(tmp_path: Path) -> None:
    path = table(tmp_path, "SYA,Shemya,Shemya,AK,USA,52.7,174.1", "X,X,X,AK,USA,-52.7,174.1")
    assert kinds(airports.read_table(path).rows) == [(3, "sign")]


def test_a_blank_is_not_filled_from_too_far_away(tmp_path: Path) -> None:
    path = table(tmp_path, "A,One,Town,WA,USA,47,-120", "B,Two,NA,,USA,47.1,-120", "C,Three,n/a,WA,USA,48,-120")
    rows, changes = airports.repair(airports.read_table(path).rows, "blank", LIMITS)
    assert [(change.line, change.column, change.after) for change in changes] == [
        (3, "city", "Town"),
        (3, "state", "WA"),
    ]
    assert [row.cells["city"] for row in rows] == ["Town", "Town", "n/a"]


def test_of_two_at_one_place_the_one_that_needed_fewer_repairs_stays(tmp_path: Path) -> None:
    path = table(
        tmp_path, "A,One,NA,WA,USA,47,-120", "B,Two,Town,WA,USA,47.001,-120", "C,Three,Town,WA,USA,47.002,-120"
    )
    rows, _ = airports.replay(airports.read_table(path).rows, ["blank", "duplicate"], LIMITS)
    assert [row.cells["iata"] for row in rows] == ["B"]
