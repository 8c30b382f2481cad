import ast
from pathlib import Path
from textwrap import dedent

import pytest

import ia_modules
from examples.code_review import checks
from ia_modules.models import ExecutionStatus, StepStatus
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.examples.runs import Recorded, routes, run_example, taken

CHECKS = ["complexity", "docstrings", "risky_calls", "todos"]

PART = Path(ia_modules.__file__).parent / "pipeline" / "document"
"""Real source, enough of it for each check to take its time; the whole package is read by one test."""

FILES = {
    "good.py": '''
        """A module that is fine."""
        def double(n):
            """Twice n."""
            return 2 * n
        ''',
    "inner/risky.py": """
        import subprocess as sp
        from pickle import loads as read
        def run(line, data):  # TODO: say what this does | really
            sp.run(line, shell=True)
            sp.run([line])
            return read(data), eval(line)
        """,
    "branches.py": '''
        """Too many ways."""
        def choose(a, b, c):
            """One of them."""
            if a and b or c:
                return [x for x in a if x]
            while b:
                b -= 1
            return a if c else b
        ''',
    "broken.py": "def (:\n",
    "tests/test_good.py": "import pickle; pickle.loads(b'')\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of Python source whose mistakes are known."""
    place = tmp_path / "shop"
    for name, text in FILES.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
    return place


def found(recorded: Recorded, check: str) -> list[str]:
    [result] = recorded.results(check)
    assert result["found"] == len(result["findings"])
    return [f"{each['path']}:{each['line']} {each['what']}" for each in result["findings"]]


@pytest.mark.parametrize("dialect", ["sqlite"])  # the rest of this file runs on both; this reads 300 files
async def test_this_package_passes_and_leaves_no_dirt(
    tracker: ExecutionTracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    current = tmp_path / "current"
    current.mkdir()
    monkeypatch.chdir(current)
    recorded = await run_example(tracker, "code_review")

    assert recorded.execution.status is ExecutionStatus.COMPLETED
    assert recorded.output["verdict"] == "pass"
    assert recorded.output["score"] >= 80
    assert recorded.output["unreadable"] == []
    assert recorded.output["report"].startswith("# Code review of ia_modules\n\n**Pass**: ")
    assert recorded.output["report_file"] is None
    assert list(current.iterdir()) == []

    [parsed] = recorded.results("parse")
    assert parsed["folder"] == str(Path(ia_modules.__file__).parent)
    assert {"models/ids.py", "pipeline/core.py", "cli/__main__.py"} <= set(parsed["files"])
    assert f"{len(parsed['files'])} files parsed" in recorded.lines("parse")
    assert recorded.step("parse").progress == 1.0


async def test_the_checks_run_at_the_same_time_and_the_score_waits_for_all(tracker: ExecutionTracker) -> None:
    recorded = await run_example(tracker, "code_review", {"folder": str(PART)})
    ran = [recorded.step(check) for check in CHECKS]
    assert taken(recorded.step("parse")) == CHECKS
    began = [step.started_at for step in ran if step.started_at]
    ended = [step.completed_at for step in ran if step.completed_at]
    assert max(began) < min(ended)
    assert recorded.step("score").input_refs == {"parents": [[check, 1] for check in CHECKS], "state": False}


async def test_records_hold_numbers_and_findings_but_no_files(tracker: ExecutionTracker) -> None:
    recorded = await run_example(tracker, "code_review", {"folder": str(PART)})
    read = sum(path.stat().st_size for path in PART.rglob("*.py"))
    assert sum(step.input_bytes + step.output_bytes for step in recorded.steps) < read / 2
    assert "def should_retry(" not in str([(step.input_data, step.output_data) for step in recorded.steps])


async def test_a_folder_with_mistakes_needs_attention(tracker: ExecutionTracker, folder: Path, tmp_path: Path) -> None:
    input_data = {
        "folder": str(folder),
        "exclude": ["tests/*"],
        "max_complexity": 7,
        "report": str(tmp_path / "r/out.md"),
    }
    recorded = await run_example(tracker, "code_review", input_data)

    assert recorded.output["verdict"] == "needs attention"
    assert found(recorded, "complexity") == ["branches.py:2 `choose` has a complexity of 8"]
    assert found(recorded, "docstrings") == [
        "inner/risky.py:1 the module has no docstring",
        "inner/risky.py:3 `run` has no docstring",
    ]
    assert found(recorded, "risky_calls") == [
        "inner/risky.py:4 `subprocess.run` runs a shell",
        "inner/risky.py:6 `eval` runs text as code",
        "inner/risky.py:6 `pickle.loads` unpickling runs code that the data names",
    ]
    assert found(recorded, "todos") == ["inner/risky.py:3 TODO: say what this does | really"]
    assert recorded.output["unreadable"] == [{"path": "broken.py", "reason": "line 1: invalid syntax"}]
    assert "broken.py cannot be read as Python: line 1: invalid syntax" in recorded.lines("parse")

    score = recorded.output["score"]
    assert routes(recorded.step("score")) == {
        "pass": (False, f"result.score is {score} < 80"),
        "needs_attention": (True, "no other path was taken"),
    }
    [verdict] = recorded.results("needs_attention")
    assert [each["what"] for each in verdict["look_first"]] == [
        each.partition(" ")[2] for each in found(recorded, "risky_calls")
    ]
    assert recorded.attempts("pass") == []

    report = (tmp_path / "r" / "out.md").read_text(encoding="utf-8")
    assert report == recorded.output["report"]
    assert recorded.output["report_file"] == str(tmp_path / "r" / "out.md")
    assert [path.name for path in (tmp_path / "r").iterdir()] == ["out.md"]
    headings = [line for line in report.splitlines() if line.startswith("#")]
    assert headings == [
        "# Code review of shop",
        "## Look first",
        "## Complexity",
        "## Missing docstrings",
        "## Risky calls",
        "## Left to do",
        "## Not read",
    ]
    assert "| Risky calls | 0.0 | 3 | 4 |" in report
    assert f"| **All** | **{score}** | | |" in report


async def test_the_score_asked_for_decides_the_route(tracker: ExecutionTracker, folder: Path) -> None:
    input_data = {"folder": str(folder), "pass_score": 0}
    recorded = await run_example(tracker, "code_review", input_data)
    assert recorded.output["verdict"] == "pass"
    assert taken(recorded.step("score")) == ["pass"]
    assert "## Look first" not in recorded.output["report"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("pass", 1),
        ("if a: pass\nelif b: pass\nelse: pass", 3),
        ("for x in a:\n  pass\nelse:\n  pass\nwhile b: pass", 3),
        ("try: pass\nexcept KeyError: pass\nexcept OSError: pass\nfinally: pass", 3),
        ("return a and b and c or d", 4),
        ("return [x for x in a if x if b for y in x]", 5),
        ("match a:\n  case 1: pass\n  case [x] if x: pass\n  case _: pass", 3),
        ("return lambda x: x if a else b", 2),
        ("def inner():\n  if a: pass\nclass C:\n  x = 1 if a else 2", 1),
    ],
)
def test_complexity_counts_the_ways_through_a_function(body: str, expected: int) -> None:
    indented = "\n".join(f"    {line}" for line in body.splitlines())
    [function] = ast.parse(f"def f(a, b, c, d):\n{indented}").body
    assert isinstance(function, ast.FunctionDef)
    assert checks.complexity(function) == expected


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("exec(x)", "exec"),
        ("import os as o\no.system(x)", "os.system"),
        ("from subprocess import Popen\nPopen(x, shell=flag)", "subprocess.Popen"),
        ("import subprocess\nsubprocess.run(x, shell=False)", None),
        ("import yaml\nyaml.load(x)", "yaml.load"),
        ("import yaml\nyaml.load(x, Loader=yaml.Loader)", "yaml.load"),
        ("import yaml\nyaml.load(x, yaml.SafeLoader)", None),
        ("from yaml import load, CSafeLoader as L\nload(x, Loader=L)", None),
        ("import requests\nrequests.get(x, verify=False)", "requests.get"),
        ("import requests\nrequests.get(x, verify=True)", None),
        ("model.eval()", None),
        ("x().eval()", None),
    ],
)
def test_risky_calls_are_known_by_what_their_names_stand_for(code: str, name: str | None) -> None:
    source = checks.Source("a.py", code.encode(), ast.parse(code))
    assert [each.what.split("`")[1] for each in checks.risky_calls(source)] == ([name] if name else [])


def test_docstrings_are_asked_of_what_is_public() -> None:
    code = """
        class Shown:
            def said(self): "It."
            def unsaid(self):
                def inside(): pass
            def _hidden(self): pass
            @property
            def x(self): "It."
            @x.setter
            def x(self, value): pass
        class _Hidden:
            def f(self): pass
        """
    text = dedent(code)
    source = checks.Source("a.py", text.encode(), ast.parse(text))
    missing = [each.what.removesuffix(" has no docstring") for each in checks.without_docstring(source)]
    assert missing == ["the module", "`Shown`", "`Shown.unsaid`"]
    assert checks.documentable(checks.Source("__init__.py", b"", ast.parse(""))) == []


def test_marks_are_comments_and_not_texts() -> None:
    code = "x = 'TODO'  # FIXME now\n# todo: no mark\n# the TODOs\n# HACK(me): y\n"
    source = checks.Source("a.py", code.encode(), ast.parse(code))
    assert [(each.line, each.what) for each in checks.marks(source)] == [(1, "FIXME now"), (4, "HACK(me): y")]


def test_environments_and_hidden_folders_are_not_read(tmp_path: Path) -> None:
    for name in ("a.py", "b/c.py", ".hidden/d.py", "env/pyvenv.cfg", "env/e.py", "b/__pycache__/f.py", "g.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert checks.python_files(tmp_path) == ["a.py", "b/c.py"]
    assert checks.python_files(tmp_path, ["b/*"]) == ["a.py"]


@pytest.mark.parametrize("content", [b"def (:", b"x = '\0'", b"# coding: nonsense\n", b"\xff\xfe"])
def test_what_is_not_python_is_said_to_be_unreadable(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.py").write_bytes(content)
    with pytest.raises(checks.Unreadable, match="a.py cannot be read as Python: "):
        checks.read_source(tmp_path, "a.py")


def test_what_the_compiler_warns_of_does_not_keep_a_file_from_being_read(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = '\\d'\n", encoding="utf-8")
    assert checks.read_source(tmp_path, "a.py").lines == 1


async def test_steps_end_as_recorded(tracker: ExecutionTracker, folder: Path) -> None:
    recorded = await run_example(tracker, "code_review", {"folder": str(folder)})
    assert {step.status for step in recorded.steps} == {StepStatus.COMPLETED}
    assert recorded.execution.completed_steps == len(recorded.steps) == 8
