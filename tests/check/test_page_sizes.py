"""The check of what pages cost to fetch says which files are too large."""

import json
from pathlib import Path

import pytest

from scripts import page_sizes
from scripts.page_sizes import BUDGETS, FONT, KILOBYTE, SHELL, WORKER, Budget, report


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A build in which every module of a page is a file of 1 KB, and imports a common one."""
    (tmp_path / "assets").mkdir()
    (tmp_path / ".vite").mkdir()
    manifest: dict[str, object] = {"_common.js": {"file": "assets/common.js", "css": ["assets/common.css"]}}
    modules = {SHELL, *(module for budget in BUDGETS.values() for module in budget.modules)}
    for number, module in enumerate(sorted(modules)):
        manifest[module] = {"file": f"assets/{number}.js", "imports": ["_common.js"]}
    names = [SHELL, "assets/common.js", "assets/common.css", *(f"assets/{number}.js" for number in range(len(modules)))]
    for name in (*names, *(f"assets/{pattern.replace('*', '1')}" for pattern in (FONT, WORKER))):
        (tmp_path / name).write_bytes(b"x" * KILOBYTE)
    (tmp_path / ".vite" / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return tmp_path


def test_what_is_sent_is_counted_once_with_what_it_imports(built: Path) -> None:
    text, fits = report(built)
    assert fits
    # The page, its module, that of the shell, the common one with its style, and the font.
    assert "pipelines: 6 KB of at most 350" in text.splitlines()
    (built / "assets" / "common.js.br").write_bytes(b"x")
    assert "pipelines: 5 KB of at most 350" in report(built)[0].splitlines()


def test_a_page_that_is_too_large_is_named_with_its_largest_files(built: Path) -> None:
    [worker] = (built / "assets").glob(WORKER)
    worker.write_bytes(b"x" * 700 * KILOBYTE)
    text, fits = report(built)
    assert not fits
    [line] = [line for line in text.splitlines() if "too large" in line]
    assert f"assets/{worker.name} 700 KB" in line
    assert text.count("too large") == 1


def test_a_module_that_is_there_no_more_is_no_silent_zero(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_sizes, "BUDGETS", {"gone": Budget(most_kilobytes=1, modules=["src/gone.tsx"])})
    with pytest.raises(KeyError, match=r"src/gone\.tsx"):
        report(built)
