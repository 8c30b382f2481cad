import gc
import importlib
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia_modules.errors import PipelineDefinitionError
from ia_modules.pipeline import beside
from ia_modules.pipeline.authoring import Flow
from ia_modules.pipeline.beside import Generation, folder_of, generation_of, name_beside
from ia_modules.pipeline.code import LoadedPipeline, load_pipeline
from ia_modules.pipeline.loader import load
from ia_modules.pipeline.runner import Pipeline, run_pipeline_from_json
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.pipeline.step_modules import StepModules
from tests.unit.pipeline.factories import document, task

PATIENCE_SECONDS = 60


def write(folder: Path, **files: str) -> Path:
    """Modules by their paths without ``.py``."""
    for name, text in files.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def pipeline_in(folder: Path) -> LoadedPipeline:
    written = document(task("go", module="steps", step_class="go"))
    return load_pipeline(load(written).definition, StepModules(folder, allowed=()), folder=folder)


def generation_in(pipeline: LoadedPipeline) -> Generation:
    assert pipeline.modules is not None
    assert pipeline.modules.generation is not None
    return pipeline.modules.generation


async def result_in(pipeline: Path | LoadedPipeline) -> object:
    loaded = pipeline_in(pipeline) if isinstance(pipeline, Path) else pipeline
    return (await Pipeline(loaded, ServiceRegistry()).run({}))["output"]["go"].get("result")


@given(st.binary(min_size=1, max_size=40).filter(lambda raw: b"\0" not in raw), st.integers(1, 999))
def test_a_name_says_which_folder_it_is_of(raw: bytes, number: int) -> None:
    folder = Path(os.fsdecode(b"/" + raw))
    root = Generation(folder, number).root
    assert root.rpartition(".")[2].isidentifier()
    assert (folder_of(root), folder_of(f"{root}.a.b"), name_beside(f"{root}.a.b")) == (folder, folder, "a.b")


def test_other_modules_are_of_no_folder() -> None:
    for name in ("os", "ia_modules.pipeline.code", "ia_modules.pipeline.beside"):
        assert (folder_of(name), name_beside(name)) == (None, name)


WAYS = {
    "import helper": "import helper\nget = helper.get",
    "import as": "import inner.leaf as leaf\nget = leaf.get",
    "import with dots": "import inner.leaf\nget = inner.leaf.get",
    "from": "from helper import get",
    "from a package": "from inner import leaf\nget = leaf.get",
    "star": "from helper import *",
    "relative module": "from . import helper\nget = helper.get",
    "relative name": "from .helper import get",
    "importlib": "import importlib\nget = importlib.import_module('helper').get",
    "from importlib": "from importlib import import_module\nget = import_module('inner.leaf').get",
    "importlib, relative": "import importlib\nget = importlib.import_module('.helper', __package__).get",
    "importlib.util": "import importlib.util\nget = importlib.import_module('helper').get",
    "__import__": "get = __import__('helper').get",
    "a package with __init__": "from whole import get",
    "a package beside": "from whole.user import get",
}


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("way", WAYS)
async def test_every_way_to_import_finds_what_lies_beside(tmp_path: Path, way: str, *, late: bool) -> None:
    value = "def get():\n    return 7\n"
    lines = WAYS[way].splitlines()
    if late and way == "star":
        lines = ["from helper import get"]
    body = "\n".join(f"    {line}" for line in lines) if late else ""
    head = "" if late else WAYS[way]
    steps = f"{head}\ndef go(data):\n{body}\n    return get()\n"
    write(tmp_path, steps=steps, helper=value)
    write(tmp_path / "inner", leaf=value)
    write(tmp_path / "whole", __init__="from .part import get\n", part=value, user="from whole.part import get\n")
    assert await result_in(tmp_path) == 7


async def test_a_module_that_puts_an_object_in_its_place_is_imported_as_that(tmp_path: Path) -> None:
    replaced = "import sys\nclass Settings:\n    WORD = 'mine'\nsys.modules[__name__] = Settings()\n"
    steps = "import replaced\nfrom replaced import WORD\ndef go(data):\n    return [replaced.WORD, WORD]\n"
    assert await result_in(write(tmp_path, replaced=replaced, steps=steps)) == ["mine", "mine"]


def test_a_relative_import_does_not_leave_the_folder(tmp_path: Path) -> None:
    write(tmp_path, steps="from .. import beside\n")
    with pytest.raises(PipelineDefinitionError, match="attempted relative import beyond top-level package"):
        pipeline_in(tmp_path)


async def test_a_folder_without_init_does_not_hide_an_installed_package(tmp_path: Path) -> None:
    write(tmp_path, steps="import yaml\ndef go(data):\n    return yaml.safe_load('7')\n")
    write(tmp_path / "yaml", notes="")
    assert await result_in(tmp_path) == 7


async def test_links_to_folders_and_files_are_followed(tmp_path: Path) -> None:
    write(tmp_path / "far", helper="VALUE = 7\n")
    write(tmp_path / "far" / "package", part="VALUE = 8\n")
    real = write(tmp_path / "real", steps="import helper, package.part\ndef go(data):\n    return package.part.VALUE\n")
    (real / "helper.py").symlink_to(tmp_path / "far" / "helper.py")
    (real / "package").symlink_to(tmp_path / "far" / "package")
    (tmp_path / "link").symlink_to(real)
    assert await result_in(tmp_path / "link") == 8
    assert generation_of(real) is generation_in(pipeline_in(tmp_path / "link"))


CHANGES = {
    "steps": "the module that is named",
    "helper": "an import",
    "package/data": "a package",
    "late": "a late import",
}


@pytest.mark.parametrize("changed", CHANGES, ids=CHANGES.values())
async def test_a_change_of_any_module_is_seen_by_what_is_loaded_next(tmp_path: Path, changed: str) -> None:
    """Also one of the same length within the same instant, as an editor or a test may make it."""
    steps = (
        "import helper\nfrom package import data as own\nOWN = 1\n"
        "def go(data):\n    import late\n    return [OWN, helper.OWN, own.OWN, late.OWN]\n"
    )
    write(tmp_path, steps=steps, helper="OWN = 1\n", late="OWN = 1\n")
    write(tmp_path / "package", __init__="", data="OWN = 1\n")
    running = pipeline_in(tmp_path)
    assert await result_in(running) == [1, 1, 1, 1]
    path = tmp_path / f"{changed}.py"
    before = path.stat()
    path.write_text(path.read_text().replace("OWN = 1", "OWN = 2"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    place = list(CHANGES).index(changed)
    assert await result_in(tmp_path) == [1 + (place == number) for number in range(4)]
    assert await result_in(running) == [1, 1, 1, 1]  # what runs keeps what it loaded


async def test_a_module_that_is_added_or_deleted_is_seen(tmp_path: Path) -> None:
    steps = (
        "try:\n    import helper\nexcept ImportError:\n    helper = None\ndef go(data):\n    return helper is None\n"
    )
    write(tmp_path, steps=steps)
    assert await result_in(tmp_path) is True
    write(tmp_path, helper="")
    assert await result_in(tmp_path) is False
    (tmp_path / "helper.py").unlink()
    assert await result_in(tmp_path) is True
    (tmp_path / "steps.py").unlink()
    with pytest.raises(PipelineDefinitionError, match="module 'steps'"):
        pipeline_in(tmp_path)


async def test_a_module_that_is_broken_is_a_problem_until_it_is_mended(tmp_path: Path) -> None:
    write(tmp_path, steps="import helper\ndef go(data):\n    return helper.VALUE\n", helper="VALUE = 7\n")
    running = pipeline_in(tmp_path)
    write(tmp_path, helper="VALUE = \n")
    for _ in range(2):
        with pytest.raises(PipelineDefinitionError, match="module 'steps' cannot be loaded: SyntaxError"):
            pipeline_in(tmp_path)
    assert await result_in(running) == 7
    write(tmp_path, helper="VALUE = 8\n")
    assert await result_in(tmp_path) == 8


def test_what_did_not_change_stays_loaded(tmp_path: Path) -> None:
    write(tmp_path, steps="import helper\nKEPT = []\ndef go(data):\n    return 1\n", helper="")
    first = pipeline_in(tmp_path)
    (tmp_path / "helper.py").touch()  # another time, the same content
    (tmp_path / "unrelated.py").write_text("")
    second = pipeline_in(tmp_path)
    assert generation_in(first) is generation_in(second)


def names_of(generation: Generation) -> list[str]:
    return [name for name in sys.modules if f"{name}.".startswith(f"{generation.root}.")]


def test_a_generation_that_nobody_uses_is_forgotten(tmp_path: Path) -> None:
    write(tmp_path, steps="import helper\ndef go(data):\n    return 1\n", helper="VALUE = 0\n")
    used = pipeline_in(tmp_path)
    for number in range(1, 5):
        write(tmp_path, helper=f"VALUE = {number}\n")
        pipeline_in(tmp_path)
    gc.collect()
    prefix = generation_in(used).root.removesuffix("1")
    roots = [name for name in sys.modules if name.startswith(prefix) and "." not in name.removeprefix(prefix)]
    assert sorted(roots) == [f"{prefix}1", f"{prefix}5"]
    assert len(names_of(generation_in(used))) == 3
    root = generation_in(used).root
    del used
    gc.collect()
    assert not [name for name in sys.modules if name.startswith(root)]
    assert root.rpartition(".")[2] not in vars(beside)


def test_two_threads_that_import_a_slow_module_both_wait_for_it(tmp_path: Path) -> None:
    gates = ModuleType("gates_of_test_beside")
    gates.begun, gates.go_on = threading.Event(), threading.Event()  # pyright: ignore[reportAttributeAccessIssue]
    sys.modules[gates.__name__] = gates
    slow = f"import {gates.__name__} as gates\ngates.begun.set()\nassert gates.go_on.wait(60)\nVALUE = 7\n"
    write(tmp_path, steps="def go(data):\n    import slow\n    return slow.VALUE\n", slow=slow)
    go = StepModules(tmp_path).code("steps", "go")
    try:
        with ThreadPoolExecutor(2) as threads:
            first = threads.submit(go, {})
            assert gates.begun.wait(PATIENCE_SECONDS)
            second = threads.submit(go, {})
            assert not second.done()
            gates.go_on.set()
            assert (first.result(PATIENCE_SECONDS), second.result(PATIENCE_SECONDS)) == (7, 7)
    finally:
        gates.go_on.set()
        del sys.modules[gates.__name__]


def test_modules_that_import_each_other_are_loaded_by_two_threads_at_once(tmp_path: Path) -> None:
    for round_ in range(20):
        folder = tmp_path / str(round_)
        write(folder, one="import two\nVALUE = 1\n", two="import one\nVALUE = 2\n")
        generation, both = generation_of(folder), threading.Barrier(2)

        def load_it(name: str) -> int:
            both.wait(PATIENCE_SECONDS)  # noqa: B023 - it ends before the next round
            return generation.load(name).VALUE  # noqa: B023

        with ThreadPoolExecutor(2) as threads:
            done = [threads.submit(load_it, name) for name in ("one", "two")]
            assert [each.result(PATIENCE_SECONDS) for each in done] == [1, 2]


def test_two_loads_at_once_share_what_they_load(tmp_path: Path) -> None:
    write(tmp_path, steps="def go(data):\n    return 1\n")
    with ThreadPoolExecutor(8) as threads:
        loaded = list(threads.map(lambda _: pipeline_in(tmp_path), range(32)))
    assert len({id(vars(each.new_step(each.step("go"), {}))["run"]) for each in loaded}) == 1


POOL = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
import helper

def double(number):
    import late
    return helper.double(number) + late.NOTHING

def go(data):
    total = 0
    for method in ("spawn", "forkserver"):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
            total += sum(pool.map(double, [1, 2]))
    return total
"""
EMBEDS = """
import asyncio
from pathlib import Path
from ia_modules.pipeline.runner import run_pipeline_from_json

if __name__ == "__main__":
    result = asyncio.run(run_pipeline_from_json(Path("jobs") / "pipeline.json"))
    print(result["output"]["go"]["result"])
"""
RUNS = {
    "run": ["-m", "ia_modules.cli", "run", "jobs/pipeline.json", "--json"],
    "a program": ["program.py"],
    "python -c": ["-c", EMBEDS],
}


@pytest.mark.parametrize("way", RUNS)
def test_processes_that_a_step_starts_find_its_modules(tmp_path: Path, way: str) -> None:
    helper = "def double(number):\n    return 2 * number\n"
    jobs = write(tmp_path / "jobs", steps=POOL, helper=helper, late="NOTHING = 0\n")
    (jobs / "pipeline.json").write_text(json.dumps(document(task("go", module="steps", step_class="go"))))
    (tmp_path / "program.py").write_text(EMBEDS)
    done = subprocess.run([sys.executable, *RUNS[way]], cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr[-2000:]
    assert '"result":12' in done.stdout.replace(" ", "") or done.stdout == "12\n"


async def test_sys_path_and_the_names_of_others_stay_as_they_are(tmp_path: Path) -> None:
    write(tmp_path, steps="import helper\ndef go(data):\n    return helper.VALUE\n", helper="VALUE = 7\n")
    (tmp_path / "p.json").write_text(json.dumps(document(task("go", module="steps", step_class="go"))))
    path, names, import_ = list(sys.path), set(sys.modules), importlib.import_module
    assert (await run_pipeline_from_json(tmp_path / "p.json"))["output"]["go"]["result"] == 7
    assert (sys.path, importlib.import_module) == (path, import_)
    assert not {"steps", "helper"} & (set(sys.modules) - names)
    assert not (tmp_path / "__pycache__").exists()


async def test_flows_beside_are_written_with_the_names_of_a_file(tmp_path: Path) -> None:
    text = "from ia_modules import Flow\nflow = Flow('F')\n@flow.step\ndef go(data):\n    return 7\n"
    write(tmp_path, steps=text)
    flow: Flow = StepModules(tmp_path).attribute("steps", "flow")
    assert flow.to_json()["steps"] == [{"id": "go", "name": "go", "step_class": "go", "module": "steps"}]
    assert await result_in(tmp_path) == 7
