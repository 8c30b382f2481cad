"""Every row of docs/step_code.md holds: the test of a row has its first cell as its name."""

import asyncio
import gc
import json
import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from ia_modules.errors import PipelineDefinitionError
from ia_modules.pipeline.admission import admit
from ia_modules.pipeline.allowed_code import allowed_modules
from ia_modules.pipeline.authoring import Flow
from ia_modules.pipeline.code import LoadedPipeline, load_pipeline
from ia_modules.pipeline.loader import load
from ia_modules.pipeline.runner import Pipeline
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.pipeline.step_modules import StepModules

DOCUMENT = Path(__file__).parents[2] / "docs" / "step_code.md"
Check = Callable[[Path], Awaitable[None]]
HOLDS: dict[str, Check] = {}


def rows() -> list[str]:
    """The first cells of the document's tables."""
    lines = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    return [cell for line in lines if (cell := line.split("|")[1].strip()) not in ("what", "---", "")]


def row(name: str) -> Callable[[Check], Check]:
    def keep(check: Check) -> Check:
        HOLDS[name] = check
        return check

    return keep


def test_rows_and_checks_agree() -> None:
    assert sorted(rows()) == sorted(HOLDS)


@pytest.mark.parametrize("name", rows())
async def test_row_holds(name: str, tmp_path: Path) -> None:
    await HOLDS[name](tmp_path)


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def loaded(
    folder: Path | None, module: str = "steps", name: str = "go", *, allowed: tuple[str, ...] = (), when: Any = "always"
) -> LoadedPipeline:
    """A stored definition with one step and, after it, the same once more."""
    steps = [{"id": step_id, "module": module, "step_class": name} for step_id in ("a", "b")]
    paths = [{"from_step": "a", "to_step": "b", "condition": when}]
    written = {"name": "Stored", "steps": steps, "flow": {"start_at": "a", "paths": paths}}
    return load_pipeline(load(written).definition, StepModules(folder, allowed=allowed), folder=folder)


async def value(pipeline: LoadedPipeline | Path) -> Any:
    it = loaded(pipeline) if isinstance(pipeline, Path) else pipeline
    output = (await Pipeline(it, ServiceRegistry()).run({}))["output"]["b"]
    return output.get("result", output)


def refuses(folder: Path | None, *words: str, **stored: Any) -> None:
    with pytest.raises(PipelineDefinitionError) as refused:
        loaded(folder, **stored)
    for each in words:
        assert each in str(refused.value)


def command(folder: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    steps = [{"id": "go", "module": "steps", "step_class": "go"}]
    write(folder, {"p.json": json.dumps({"name": "P", "steps": steps, "flow": {"start_at": "go"}})})
    run = [sys.executable, "-m", "ia_modules.cli", "run", str(folder / "p.json"), "--json", *arguments]
    return subprocess.run([*run, "--db", f"sqlite:///{folder}/a.db"], cwd=cwd, capture_output=True, text=True)


GO = "def go(data):\n    return VALUE\n"


@row("a file beside the pipeline's")
async def _(tmp_path: Path) -> None:
    for number in (1, 2):
        write(tmp_path / str(number), {"steps.py": f"VALUE = {number}\n{GO}"})
    assert [await value(tmp_path / "1"), await value(tmp_path / "2")] == [1, 2]


@row("an import in it")
async def _(tmp_path: Path) -> None:
    write(tmp_path, {"json.py": "VALUE = 7\n"})  # an installed one has this name too
    for line in (
        "from json import VALUE",
        "from .json import VALUE",
        "import json, yaml\nVALUE = json.VALUE if yaml.safe_load else 0",
        "import importlib\nVALUE = importlib.import_module('json').VALUE",
    ):
        assert await value(write(tmp_path, {"steps.py": f"{line}\n{GO}"})) == 7


@row("a folder with `__init__.py`")
async def _(tmp_path: Path) -> None:
    files = {"whole/__init__.py": "from .part import VALUE\n", "whole/part.py": "VALUE = 7\n"}
    assert await value(write(tmp_path, {**files, "steps.py": f"from whole import VALUE\n{GO}"})) == 7


@row("a folder without `__init__.py`")
async def _(tmp_path: Path) -> None:
    files = {"loose/part.py": "VALUE = 7\n", "yaml/notes.py": "", "steps.py": f"from loose.part import VALUE\n{GO}"}
    assert await value(write(tmp_path, files)) == 7
    assert await value(write(tmp_path, {"steps.py": f"import yaml\nVALUE = yaml.safe_load('8')\n{GO}"})) == 8


@row("a link to a file or folder")
async def _(tmp_path: Path) -> None:
    write(tmp_path, {"far/steps.py": f"from part import VALUE\n{GO}", "parts/part/__init__.py": "VALUE = 7\n"})
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "steps.py").symlink_to(tmp_path / "far" / "steps.py")
    (tmp_path / "jobs" / "part").symlink_to(tmp_path / "parts" / "part")
    (tmp_path / "linked").symlink_to(tmp_path / "jobs")
    assert await value(tmp_path / "linked") == 7


@row("a name with dots inside a module")
async def _(tmp_path: Path) -> None:
    inner = "class Outer:\n    @staticmethod\n    def inner(data):\n        return 7\n"
    write(tmp_path, {"package/steps.py": inner})
    assert await value(loaded(tmp_path, "package.steps", "Outer.inner")) == 7


@row("the project")
async def _(tmp_path: Path) -> None:
    jobs = write(tmp_path / "jobs", {"steps.py": f"from own import VALUE\nimport yaml\nyaml.safe_load\n{GO}"})
    project = write(tmp_path / "project", {"own.py": "VALUE = 7\n", "yaml.py": "raise RuntimeError\n"})
    for arguments, cwd in (([], project), (["--project", str(project)], tmp_path)):
        done = command(jobs, *arguments, cwd=cwd)
        assert (done.returncode, '"result":7' in done.stdout.replace(" ", "")) == (0, True), done.stderr


@row("a program that runs pipelines")
async def _(tmp_path: Path) -> None:
    before = list(sys.path)
    assert await value(write(tmp_path, {"steps.py": f"from part import VALUE\n{GO}", "part.py": "VALUE = 7\n"})) == 7
    assert sys.path == before


@row("a process that a step starts")
async def _(tmp_path: Path) -> None:
    steps = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from part import VALUE

def double(number):
    return number * VALUE

def go(data):
    found = []
    for method in ("spawn", "forkserver"):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
            found += pool.map(double, [1, 2])
    return found
"""
    jobs = write(tmp_path, {"steps.py": steps, "part.py": "VALUE = 7\n"})
    done = command(jobs, cwd=jobs)
    assert (done.returncode, "[7,14,7,14]" in done.stdout.replace(" ", "")) == (0, True), done.stderr


@row("two steps that import one slow module")
async def _(tmp_path: Path) -> None:
    slow = "import time\ntime.sleep(0.2)\nVALUE = 7\n"
    go = "def go(data):\n    from slow import VALUE\n    return VALUE\n"
    run = loaded(write(tmp_path, {"steps.py": go, "slow.py": slow})).factories["a"]("a", {}).run
    assert await asyncio.gather(*(asyncio.to_thread(run, {}) for _ in range(4))) == [7] * 4


@row("a decorator")
async def _(tmp_path: Path) -> None:
    steps = """
import functools
from ia_modules import Flow, Step

def adds(code):
    @functools.wraps(code)
    def inner(*args):
        found = code(*args)
        return found if isinstance(found, Step) else not found if found in (True, False) else found + 1
    return inner

@adds
def go(data):
    return 6

@Flow("F").step
@adds
def node(data):
    return 6

@adds
class Made(Step):
    def run(self, data):
        return 7

@adds
def never(context, parameters):
    return False
"""
    holds = {"type": "function", "module_path": "steps", "function_name": "never"}
    write(tmp_path, {"steps.py": steps})
    for name in ("go", "node", "Made"):
        assert await value(loaded(tmp_path, name=name, when=holds)) == 7


@row("a callable of a `Flow`")
async def _(tmp_path: Path) -> None:
    flow = Flow("Objects")
    flow.add(lambda data: {"n": 7}, id="lambda")
    assert (await flow.run())["output"]["n"] == 7
    with pytest.raises(PipelineDefinitionError, match="<lambda>"):
        flow.to_json()


@row("a plain callable that gives a coroutine")
async def _(tmp_path: Path) -> None:
    steps = "async def later(data):\n    return 7\ndef go(data):\n    return later(data)\n"
    assert await value(write(tmp_path, {"steps.py": steps})) == 7


@row("a module that a step names has changed")
async def _(tmp_path: Path) -> None:
    for number in (1, 2):
        assert await value(write(tmp_path, {"steps.py": f"VALUE = {number}\n{GO}"})) == number


@row("a module that those import has changed")
async def _(tmp_path: Path) -> None:
    write(tmp_path, {"steps.py": f"from part import VALUE\n{GO}", "part.py": "from deep.down import VALUE\n"})
    for number in (1, 2):
        assert await value(write(tmp_path, {"deep/down.py": f"VALUE = {number}\n"})) == number


@row("a module was added or deleted")
async def _(tmp_path: Path) -> None:
    steps = f"try:\n    from part import VALUE\nexcept ImportError:\n    VALUE = 0\n{GO}"
    assert await value(write(tmp_path, {"steps.py": steps})) == 0
    assert await value(write(tmp_path, {"part.py": "VALUE = 7\n"})) == 7
    (tmp_path / "part.py").unlink()
    assert await value(tmp_path) == 0


@row("what runs")
async def _(tmp_path: Path) -> None:
    running = loaded(write(tmp_path, {"steps.py": f"VALUE = 1\n{GO}"}))
    assert await value(write(tmp_path, {"steps.py": f"VALUE = 2\n{GO}"})) == 2
    assert await value(running) == 1


@row("a file that is broken while it is edited")
async def _(tmp_path: Path) -> None:
    running = loaded(write(tmp_path, {"steps.py": f"from part import VALUE\n{GO}", "part.py": "VALUE = 1\n"}))
    refuses(write(tmp_path, {"part.py": "VALUE ="}), "'steps' cannot be loaded: SyntaxError")
    assert await value(running) == 1
    assert await value(write(tmp_path, {"part.py": "VALUE = 2\n"})) == 2


@row("a file with another time and the same content")
async def _(tmp_path: Path) -> None:
    write(tmp_path, {"steps.py": "CALLS = []\ndef go(data):\n    CALLS.append(1)\n    return len(CALLS)\n"})
    assert await value(tmp_path) == 2
    os.utime(tmp_path / "steps.py", (0, 0))
    assert await value(tmp_path) == 4


@row("what nothing runs any more")
async def _(tmp_path: Path) -> None:
    for number in range(3):
        assert await value(write(tmp_path, {"steps.py": f"VALUE = {number}\n{GO}"})) == number
    gc.collect()
    modules = loaded(tmp_path).modules
    assert modules is not None
    last = modules.generation
    assert last is not None
    roots = [name for name in sys.modules if name.startswith(last.root[:-1]) and name.endswith(".steps")]
    assert roots == [f"{last.root}.steps"]


@row("what modules read themselves")
async def _(tmp_path: Path) -> None:
    steps = f"from pathlib import Path\nVALUE = (Path(__file__).parent / 'data.txt').read_text()\n{GO}"
    assert await value(write(tmp_path, {"steps.py": steps, "data.txt": "one"})) == "one"
    assert await value(write(tmp_path, {"data.txt": "two"})) == "one"


@row("a name that no code can have")
async def _(tmp_path: Path) -> None:
    for name in ("m" * 201, "../steps", "a..b", ".steps", "a b", "a-b", "/etc"):
        refuses(tmp_path, "names of Python with dots between them, at most 200 characters", module=name)
        refuses(tmp_path, "at most 200 characters", module="steps", name=name)
        asks = {"type": "function", "module_path": name, "function_name": "go"}
        refuses(tmp_path, "at most 200 characters", when=asks)


@row("`__main__` and other names with two underscores")
async def _(tmp_path: Path) -> None:
    refuses(tmp_path, "the program itself", module="__main__")
    refuses(tmp_path, "Python's own", module="os", name="__dict__", allowed=("*",))


@row("what is neither a class nor a function")
async def _(tmp_path: Path) -> None:
    streams = "async def streams(context, parameters):\n    yield True\n"
    write(tmp_path, {"steps.py": f"VALUE = 1\nclass Plain:\n    pass\n{streams}{GO}"})
    refuses(tmp_path, "a value of type int", name="VALUE")
    refuses(tmp_path, "does not derive from", name="Plain")
    asks = {"type": "function", "module_path": "steps", "function_name": "Plain"}
    refuses(tmp_path, "would always hold", when=asks)
    refuses(tmp_path, "neither yes nor no", when=asks | {"function_name": "streams"})


@row("a module that is not there")
async def _(tmp_path: Path) -> None:
    jobs = write(tmp_path / "jobs", {"steps.py": "import nowhere\n", "part.py": ""})
    refused = command(jobs, "--project", str(tmp_path), cwd=jobs)
    assert refused.returncode == 2
    for each in ("nowhere", f"{jobs}, which has part.py, steps.py", str(tmp_path), "installed packages"):
        assert each in refused.stderr


@row("a module from elsewhere in a stored definition")
async def _(tmp_path: Path) -> None:
    write(tmp_path, {"part.py": ""})
    refuses(tmp_path, "which has part.py", "my.*", module="os", name="system", allowed=("my.*",))


@row("what a module only imported, in a stored definition")
async def _(tmp_path: Path) -> None:
    steps = "import functools, subprocess\nfrom subprocess import run\npart = functools.partial(subprocess.run)\n"
    write(tmp_path, {"steps.py": steps})
    for name in ("run", "part", "subprocess.run"):
        refuses(tmp_path, "code of 'subprocess', which may not be used here", name=name)


SOLD = [{"region": "North", "amount": 3}, {"region": "South", "amount": 4}]
READY: dict[str, dict[str, Any]] = {
    "read_table": {"text": "region;amount\nNorth;3", "separator": ";"},
    "sum_up": {"rows": SOLD, "of": "amount", "by": "region"},
    "write_table": {"rows": SOLD, "title": "Sold"},
}


def ready_made(name: str, data: dict[str, Any]) -> None:
    """What a ready-made step takes and gives is what its row says, and a definition from outside may name it."""

    @row(f"`{name}`")
    async def _(_: Path) -> None:
        [line] = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{name}`")]
        takes, gives = (re.findall(r"`(\w+)`", cell) for cell in line.split("|")[2:4])
        step = {"id": "a", "module": "ia_modules.steps", "step_class": name}
        admitted = admit(
            {"name": "Ready", "steps": [step], "flow": {"start_at": "a"}}, folder=None, allowed=allowed_modules({})
        )
        pipeline = load_pipeline(admitted.definition, StepModules(None, allowed=allowed_modules({})))
        result = (await Pipeline(pipeline, ServiceRegistry()).run(data))["output"]["a"]
        inner = {key for group in result.get("groups", ()) for key in group}
        assert (set(takes), set(gives)) == (set(data), set(result) | inner)


for _name, _data in READY.items():
    ready_made(_name, _data)
