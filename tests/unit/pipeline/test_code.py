import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ia_modules.errors import PipelineDefinitionError, StepError
from ia_modules.models import PipelineId, PipelineVersionRecord
from ia_modules.payload import content_hash, encode
from ia_modules.pipeline.allowed_code import AllowedCode
from ia_modules.pipeline.beside import Generation
from ia_modules.pipeline.code import LoadedPipeline, load_pipeline, load_version
from ia_modules.pipeline.core import Step
from ia_modules.pipeline.loader import load
from ia_modules.pipeline.runner import Pipeline, run_pipeline_from_json
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.pipeline.step_modules import StepModules, misspelled
from tests.unit.pipeline.factories import document, task

STEPS = """
import dataclasses
import helpers
from package.inner import WORD
from ia_modules.pipeline.core import Step

@dataclasses.dataclass
class Kept:
    value: str

class Say(Step):
    async def run(self, data):
        return {"said": Kept(helpers.greeting()).value + WORD}
"""


def write_folder(folder: Path, greeting: str) -> Path:
    (folder / "package").mkdir(parents=True)
    (folder / "steps.py").write_text(STEPS)
    (folder / "helpers.py").write_text(f"def greeting():\n    return {greeting!r}\n")
    (folder / "package" / "__init__.py").write_text("")
    (folder / "package" / "inner.py").write_text("from .suffix import WORD\n")
    (folder / "package" / "suffix.py").write_text("WORD = '!'\n")
    (folder / "pipeline.json").write_text(
        '{"name": "Say", "steps": [{"id": "say", "class": "Say", "module": "steps"}], "flow": {"start_at": "say"}}'
    )
    return folder / "pipeline.json"


async def test_two_folders_may_have_modules_of_the_same_names(tmp_path: Path) -> None:
    path, modules = list(sys.path), set(sys.modules)
    for folder, greeting in (("one", "hello"), ("two", "good bye"), ("one", "hello")):
        pipeline_file = tmp_path / folder / "pipeline.json"
        if not pipeline_file.exists():
            write_folder(tmp_path / folder, greeting)
        result = await run_pipeline_from_json(pipeline_file)
        assert result["output"]["said"] == f"{greeting}!"
    assert sys.path == path
    assert not {"steps", "helpers", "package"} & (set(sys.modules) - modules)


async def test_a_module_that_was_changed_is_loaded_anew(tmp_path: Path) -> None:
    pipeline_file = write_folder(tmp_path, "before")
    await run_pipeline_from_json(pipeline_file)
    (tmp_path / "steps.py").write_text(STEPS.replace("Kept(helpers.greeting()).value", "'after, and longer'"))
    assert (await run_pipeline_from_json(pipeline_file))["output"]["said"] == "after, and longer!"


def loaded(folder: Path, *, allowed: tuple[str, ...] | None = None, **step: Any) -> LoadedPipeline:
    return load_pipeline(load(document(task("a", **step))).definition, StepModules(folder, allowed=allowed))


def test_code_that_cannot_be_used_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise RuntimeError('not today')\n")
    (tmp_path / "plain.py").write_text("class Plain:\n    pass\nVALUE = 3\n")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"module": "nowhere", "step_class": "A"}, "module 'nowhere' cannot be imported"),
        ({"module": "broken", "step_class": "A"}, "module 'broken' .* RuntimeError: not today"),
        ({"module": "plain", "step_class": "Missing"}, "module 'plain' has no 'Missing'; it has Plain, VALUE"),
        ({"module": "plain", "step_class": "Plain"}, "class Plain, which does not derive from"),
        ({"module": "plain", "step_class": "VALUE"}, "a value of type int, which is neither a class nor a function"),
    ]
    for step, found in cases:
        with pytest.raises(PipelineDefinitionError, match=rf"\$\.steps\[0\]: found {found}.*expected a class"):
            loaded(tmp_path, **step)


@pytest.mark.parametrize("error", ["ImportError('no torch')", "SystemExit(3)", "KeyError('Late')"])
def test_a_module_that_fails_when_it_is_looked_into_is_a_problem(tmp_path: Path, error: str) -> None:
    (tmp_path / "lazy.py").write_text(f"def __getattr__(name):\n    raise {error}\n")
    with pytest.raises(PipelineDefinitionError) as refused:
        loaded(tmp_path, module="lazy", step_class="Late")
    assert f"'Late' of module 'lazy' cannot be loaded: {error.partition('(')[0]}: " in str(refused.value)


def test_the_folder_is_searched_once_for_a_module_of_many_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[str] = []
    has = Generation.has
    monkeypatch.setattr(Generation, "has", lambda self, module: [searched.append(module), has(self, module)][1])
    (tmp_path / "steps.py").write_text("def go(data):\n    return {}\n")
    steps = [task(name, module="steps", step_class="go") for name in "abc"]
    definition = load(document(*steps, paths=[("a", "b"), ("b", "c")])).definition
    assert len(load_pipeline(definition, StepModules(tmp_path, allowed=())).factories) == 3
    assert searched == ["steps"]


def test_modules_from_elsewhere_must_be_allowed_where_there_is_a_list(tmp_path: Path) -> None:
    for module in ("os", "subprocess"):
        with pytest.raises(
            PipelineDefinitionError, match=f"module '{module}', which is not among .* ia_modules.pipeline.*"
        ):
            loaded(tmp_path, allowed=("ia_modules.pipeline.*",), module=module, step_class="system")
    allowed = loaded(tmp_path, allowed=("ia_modules.pipeline.*",), module="ia_modules.pipeline.core", step_class="Step")
    assert set(allowed.factories) == {"a"}


def test_a_module_outside_of_the_folder_is_found_by_a_link_alone(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "outside.py").write_text("def a(data):\n    return {}\n")
    (inside / "linked.py").symlink_to(tmp_path / "outside.py")
    with pytest.raises(PipelineDefinitionError, match="module 'outside'"):
        loaded(inside, module="outside", step_class="a")
    assert set(loaded(inside, allowed=(), module="linked", step_class="a").factories) == {"a"}


def stored(module: str, folder: Path | None) -> PipelineVersionRecord:
    definition = document(task("a", module=module, step_class="Named"))
    return PipelineVersionRecord(
        pipeline_id=PipelineId("p"),
        version=1,
        definition=definition,
        content_hash=content_hash(encode(definition, "definition")),
        source_folder=None if folder is None else str(folder),
        created_at=datetime(2026, 11, 24, tzinfo=UTC),
    )


def test_the_folder_of_a_stored_definition_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("def Named(data):\n    return data\n")
    loaded = load_version(stored("beside", tmp_path), allowed=AllowedCode())
    assert loaded.folder == tmp_path
    assert list(loaded.factories) == ["a"]


@pytest.mark.parametrize(
    ("line", "home"),
    [("from subprocess import run as Named", "subprocess"), ("from os import system as Named", "posix")],
)
def test_a_module_does_not_give_away_what_it_imported(tmp_path: Path, line: str, home: str) -> None:
    (tmp_path / "beside.py").write_text(f"{line}\n")
    with pytest.raises(PipelineDefinitionError, match=f"code of '{home}', which may not be used here"):
        load_version(stored("beside", tmp_path), allowed=AllowedCode(("my.steps.*",)))


def test_a_module_may_offer_what_lies_beside_it_or_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text("def Named(data):\n    return data\n")
    (tmp_path / "beside.py").write_text("from other import Named\n")
    assert list(load_version(stored("beside", tmp_path), allowed=AllowedCode()).factories) == ["a"]
    (tmp_path / "beside.py").write_text("from subprocess import run as Named  # allowed by name\n")
    assert list(load_version(stored("beside", tmp_path), allowed=AllowedCode(("subprocess",))).factories) == ["a"]


@pytest.mark.parametrize("folder", [True, False])
def test_other_modules_are_refused_even_if_they_could_be_imported(tmp_path: Path, folder: bool) -> None:
    with pytest.raises(PipelineDefinitionError, match="'os', which is not among the modules that may be used here"):
        load_version(stored("os", tmp_path if folder else None), allowed=AllowedCode(("os.*", "posix")))


DECORATED = """
import functools
from ia_modules import Flow, Step

def louder(code):
    @functools.wraps(code)
    def inner(*args):
        return {"text": code(*args)["text"].upper()}
    return inner

def counted(cls):
    @functools.wraps(cls)
    def make(name, config):
        made = cls(name, config | {"text": "made by a decorator"})
        return made
    return make

@louder
def function(data):
    return {"text": "quiet"}

@counted
class Decorated(Step):
    def run(self, data):
        return {"text": self.config["text"].upper()}

def opposite(code):
    @functools.wraps(code)
    def inner(context, parameters):
        return not code(context, parameters)
    return inner

@opposite
def never(context, parameters):
    return False

class Outer:
    @staticmethod
    def inner(data):
        return {"text": "INNER"}

class Speaks:
    def __call__(self, data):
        return {"text": "SPOKEN"}

speaks = Speaks()
partly = functools.partial(lambda more, data: {"text": more}, "PART")
alias = function

flow = Flow("By flow")

@flow.step
@louder
def node(data):
    return {"text": "node"}

@louder
@flow.step(id="other")
def around_node(data):
    return {"text": "around"}
"""
CALLED = {
    "function": "QUIET",
    "Decorated": "MADE BY A DECORATOR",
    "Outer.inner": "INNER",
    "speaks": "SPOKEN",
    "partly": "PART",
    "alias": "QUIET",
    "node": "NODE",
    "around_node": "AROUND",
}


@pytest.mark.parametrize("name", CALLED)
async def test_the_code_that_a_stored_name_gives_is_the_code_that_runs(tmp_path: Path, name: str) -> None:
    (tmp_path / "decorated.py").write_text(DECORATED)
    holds = {"type": "function", "module_path": "decorated", "function_name": "never"}
    written = document(
        task("a", module="decorated", step_class=name),
        task("b", module="decorated", step_class=name),
        paths=[("a", "b", holds)],
    )
    canonical = load(written).definition
    version = replace(
        stored("decorated", tmp_path), definition=canonical.to_json(), content_hash=canonical.content_hash
    )
    result = await Pipeline(load_version(version, allowed=AllowedCode(())), ServiceRegistry()).run({})
    assert result["output"]["text"] == CALLED[name]
    assert [step["step_name"] for step in result["steps"]] == ["a", "b"]  # the condition's decorator is in force too


@pytest.mark.parametrize(
    ("line", "home"),
    [
        ("Named = __import__('functools').partial(__import__('subprocess').run)", "subprocess"),
        ("import subprocess\nNamed = subprocess.Popen('true').wait", "subprocess"),
        ("import subprocess\nfrom ia_modules import Flow\nNamed = Flow('x').add(subprocess.run)", "subprocess"),
        ("import subprocess\nclass Named:\n    inner = subprocess.run", "subprocess"),
    ],
    ids=["a partial", "a method", "a node", "inside a class"],
)
def test_code_of_elsewhere_in_other_clothes_is_refused_too(tmp_path: Path, line: str, home: str) -> None:
    (tmp_path / "beside.py").write_text(f"{line}\n")
    name = "Named.inner" if "class Named" in line else "Named"
    with pytest.raises(PipelineDefinitionError, match=f"code of '{home}', which may not be used here"):
        loaded(tmp_path, allowed=(), module="beside", step_class=name)


def test_a_class_that_does_not_make_a_step_fails_the_step(tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text(DECORATED.replace("return made", "return 3"))
    pipeline = loaded(tmp_path, module="steps", step_class="Decorated")
    with pytest.raises(StepError, match="gave an object of type int, which is no Step"):
        pipeline.new_step(pipeline.step("a"), {})


IDENTIFIERS = st.from_regex(r"[a-z][a-z_0-9]{0,20}", fullmatch=True)
WRONG_PARTS = st.one_of(
    st.just("__main__"),
    st.from_regex(r"__[a-z]{0,9}__", fullmatch=True),
    st.sampled_from(["", " ", "a/b", "..", "a b", "a-b", "<lambda>", "a\n", "1a", "a:b", "a\\b", "%2e"]),
    st.text(
        alphabet=st.characters(
            blacklist_characters="\0", blacklist_categories=["Cs", "L", "Nd", "Nl", "Mn", "Mc", "Pc"]
        ),
        max_size=4,
    ),
    st.from_regex(r"[a-z]{201,300}", fullmatch=True),
)


@given(
    before=st.lists(IDENTIFIERS, max_size=3), wrong=WRONG_PARTS, after=st.lists(IDENTIFIERS, max_size=2), key=st.data()
)
def test_a_name_that_no_code_has_is_a_problem_wherever_it_stands(
    before: list[str], wrong: str, after: list[str], key: st.DataObject
) -> None:
    name = ".".join([*before, wrong, *after]) or " "
    with pytest.raises(PipelineDefinitionError) as refused:
        which = key.draw(st.sampled_from(["module", "step_class", "module_path", "function_name"]))
        if which in ("module", "step_class"):
            written = document(task("a", module="os", step_class="a") | {which: name})
        else:
            asks = {"type": "function", "module_path": "os", "function_name": "a"} | {which: name}
            written = document("a", "b", paths=[("a", "b", asks)])
        for allowed in (None, ("*",)):
            modules = StepModules(Path("/nowhere"), allowed=allowed)
            load_pipeline(load(written).definition, modules, prepared={"b": Step} if "path" in which else None)
    assert "names of Python with dots between them, at most 200 characters" in str(refused.value)


@given(name=st.lists(IDENTIFIERS, min_size=1, max_size=8).map(".".join))
def test_identifiers_with_dots_are_names(name: str) -> None:
    assert (misspelled(name) is None) == (len(name) <= 200)


def test_what_cannot_be_a_condition_is_refused(tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text("class Named:\n    pass\nVALUE = 3\ndef a(data):\n    return data\n")
    for name, found in (("Named", "class Named, whose objects would always hold"), ("VALUE", "a value of type int")):
        asks = {"type": "function", "module_path": "steps", "function_name": name}
        written = document(task("a", step_class="a"), task("b", step_class="a"), paths=[("a", "b", asks)])
        with pytest.raises(PipelineDefinitionError, match=rf"\$\.flow\.paths: found .* after step 'a': {found}"):
            load_pipeline(load(written).definition, StepModules(tmp_path))
