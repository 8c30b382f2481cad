from pathlib import Path

from tests.unit.cli import pipeline_files
from tests.unit.cli.pipeline_files import step, write
from tests.unit.cli.programs import on_terminal


def test_on_a_terminal_the_steps_are_drawn_while_they_run(database_url: str, tmp_path: Path) -> None:
    release = tmp_path / "release"
    file = write(
        tmp_path,
        step("fetch", "Fetch", name="Fetch the pages"),
        step("wait", "UntilReleased", config={"file": str(release)}),
        step("never", "Count"),
        paths=[("fetch", "wait"), ("fetch", "never", pipeline_files.compare("result.rows", "==", 0))],
    )
    with on_terminal(database_url, "run", file) as terminal:
        terminal.until("halfway")
        drawn = terminal.text
        release.touch()
        status = terminal.to_end()
    assert status == 0
    for seen in (
        "Nightly",
        "Fetch the pages",
        "completed",
        "running",
        "skipped",
        "━",
        "50%",
        "halfway",
        "a step prints",
    ):
        assert seen in drawn
    last = terminal.text.rpartition("Nightly")[2]
    assert "completed" in last
    assert "Completed in" in last
    assert terminal.text.count("\x1b[?25l") == terminal.text.count("\x1b[?25h") == 1
