import asyncio
import re
import sys
from pathlib import Path

import pytest

from benchmarks import against_peers
from benchmarks.__main__ import main
from benchmarks.against_peers import PEERS, install, measure_peers, rows_of
from benchmarks.databases import BOTH, POSTGRESQL, SQLITE, new_databases
from benchmarks.figures import Figure, Measured, from_json
from benchmarks.page import page
from benchmarks.race import Bench, DidNotAnswer, reason, started
from benchmarks.rates import RUNNER
from benchmarks.sections import SECTIONS
from benchmarks.workers import fill, watch
from ia_modules import DatabaseManager

PIN = re.compile(r"[\w.-]+(\[[\w,]+\])?==[\w.!+]+")


def measured(tmp_path: Path, *arguments: str) -> dict[str, Measured]:
    """What a quick run keeps in a file."""
    file = tmp_path / "figures.json"
    assert main([*arguments, "--quick", "--json", str(file)]) == 0
    return from_json(file.read_text(encoding="utf-8"))[0]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [name for name in SECTIONS if name not in ("peers", "workers")])
def test_a_section_can_be_measured_alone(name: str, tmp_path: Path) -> None:
    sections = measured(tmp_path, name, "--database", SQLITE)
    assert list(sections) == [name]
    assert sections[name].missing == ()
    assert any(figure.better for figure in sections[name].figures), "nothing of it could be compared"
    rates = [figure for figure in sections[name].figures if figure.unit.endswith("/s")]
    assert all(number > 0 for figure in rates for number in figure.rounds)


@pytest.mark.timeout(300)
def test_workers_are_measured_by_what_they_complete(
    tmp_path: Path, postgresql_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IA_TEST_POSTGRES_URL", postgresql_server)
    [workers] = measured(tmp_path, "workers").values()
    assert workers.missing == ()
    rates = [figure for figure in workers.figures if figure.unit == "executions/s"]
    assert [figure.case.split()[0] for figure in rates] == ["limit,", "1", "2", "4"]
    assert all(figure.median > 0 for figure in rates)


ALL_COMPLETED = """
UPDATE pipeline_executions SET status = 'completed', started_at = created_at, completed_at = created_at"""


@pytest.mark.timeout(300)
def test_executions_that_all_ended_between_two_looks_have_a_rate(
    postgresql_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IA_TEST_POSTGRES_URL", postgresql_server)

    async def rate(url: str) -> float:
        await fill(url, 60)
        async with DatabaseManager(url) as database:
            await database.execute_async(ALL_COMPLETED)
        return await watch(url, 2, Bench(new_database, [POSTGRESQL], 1, 0.1, is_quick=True))

    with new_databases() as new_database:
        assert asyncio.run(rate(new_database(POSTGRESQL))) > 0


@pytest.mark.timeout(300)
def test_a_peer_that_cannot_be_installed_is_missing_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setattr(against_peers, "PEERS", PEERS[:1])
    monkeypatch.setattr(against_peers, "ENVIRONMENTS", tmp_path)
    with new_databases() as new_database:
        bench = Bench(new_database, BOTH, 1, 0.1, is_quick=True)
        assert measure_peers(bench) == []
    [line] = bench.missing
    assert line.startswith("LangGraph could not be installed: ")
    assert "langgraph" in line.partition(":")[2]


def test_an_environment_with_the_same_pins_is_used_again(tmp_path: Path) -> None:
    peer = PEERS[0]
    folder = tmp_path / peer.module
    folder.mkdir()
    (folder / "installed.txt").write_text(peer.pins.read_text(encoding="utf-8"), encoding="utf-8")
    assert install(peer, tmp_path) == folder / "bin" / "python"


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_the_pins_of_a_peer_are_exact_versions_and_nothing_else(peer: against_peers.Peer) -> None:
    assert [line for line in peer.pins.read_text(encoding="utf-8").splitlines() if not PIN.fullmatch(line)] == []
    assert (against_peers.PROGRAMS / f"{peer.module}.py").is_file()


def test_the_reason_is_the_last_line_of_what_a_command_wrote() -> None:
    assert reason(OSError("no such file")) == "no such file"
    assert reason(TimeoutError()) == "TimeoutError"


def test_rows_are_counted_for_one_execution() -> None:
    with new_databases() as new_database:
        bench = Bench(new_database, [SQLITE], 1, 0.1, is_quick=True)
        assert rows_of(bench, SQLITE, RUNNER).rounds == (6.0,)


def test_a_program_that_ends_says_what_it_wrote() -> None:
    with (
        pytest.raises(DidNotAnswer, match="invalid literal"),
        started((sys.executable, "-m", "benchmarks.contestants", "chain:x"), "sqlite:///"),
    ):
        pass


@pytest.mark.parametrize(
    "wrong", [["nothing"], ["--keep", "--quick"], ["--check", "--quick"], ["--keep", "--database", SQLITE]]
)
def test_what_cannot_be_measured_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(wrong)
    assert "section nothing" in (message := capsys.readouterr().err) or "only whole runs" in message


def test_the_page_has_each_section_that_was_measured_with_its_load() -> None:
    made = {
        "at": "2026-11-28T22:00+00:00",
        "commit": "abc",
        "rounds": 5,
        "seconds": 3.0,
        "load_before": 1.25,
        "load_after": 2.0,
    }
    figures = (Figure("SQLite", "runner, 1 at a time", "executions/s", (100.0, 200.0, 300.0)),)
    text = page({"peers": Measured(figures, made, ("DBOS could not be installed: no network",))}, {"cores": 2})
    assert "| cores | 2 |" in text
    assert "| runner, 1 at a time | 200 |" in text
    assert "Not measured: DBOS could not be installed: no network" in text
    assert "load of the machine 1.2 before and 2.0 after" in text
    assert all(peer.keeps in text for peer in PEERS)
    assert SECTIONS["rates"].title not in text
