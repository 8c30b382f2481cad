import os
import subprocess
import sys
from pathlib import Path

from tests.examples.runs import EXAMPLES
from tests.unit.tracker.tracked_records import programs_in

SCRIPT = EXAMPLES / "existing_script" / "invoices.py"


def run(script: Path, url: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"DATABASE_URL": url, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, check=True)


def test_it_is_on_record_and_does_what_it_does_without_the_decorators(empty_database_url: str, tmp_path: Path) -> None:
    plain = tmp_path / "invoices.py"
    plain.write_text(SCRIPT.read_text().replace("@tracked\n", "").replace("from ia_modules import tracked\n", ""))
    (tmp_path / "orders").symlink_to(SCRIPT.parent / "orders")
    before, recorded = run(plain, ""), run(SCRIPT, empty_database_url)
    assert (recorded.stdout, recorded.stderr) == (before.stdout, before.stderr)
    assert "2026-10.csv is left out" in recorded.stderr

    [execution] = programs_in(empty_database_url)
    assert (execution.name, execution.status) == ("main", "completed")
    assert execution.output_data == {"Ada": "182.49", "Edsger": "7.25", "Grace": "80.00"}
    assert execution.statuses == {
        "read_orders#1": "completed",
        "read_orders#2": "failed",
        "read_orders#3": "completed",
    }
    failed = execution.calls["read_orders#2"]
    assert failed.input_data == {"file": str(SCRIPT.parent / "orders" / "2026-10.csv")}
    assert failed.error[0] == "InvalidOperation"
    assert execution.calls["read_orders#3"].output_data == {"Ada": 4200, "Edsger": 725}


def test_it_is_short() -> None:
    assert len(SCRIPT.read_text().splitlines()) < 40
    assert SCRIPT.read_text().count("@tracked") == 2
