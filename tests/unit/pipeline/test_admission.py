from pathlib import Path

import pytest

from ia_modules.errors import PipelineDefinitionError
from ia_modules.pipeline.admission import admit, is_usable
from ia_modules.pipeline.allowed_code import AllowedCode
from tests.unit.pipeline.factories import document, path, task
from tests.unit.pipeline.test_code import stored


def test_code_may_lie_beside_the_file_or_be_allowed_by_name(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("def Named(data):\n    return data\n")
    written = document(task("a", module="beside", step_class="Named"))
    assert admit(written, folder=tmp_path, allowed=()).definition.steps[0].module == "beside"
    with pytest.raises(PipelineDefinitionError, match="it allows none"):
        admit(written, folder=None, allowed=())


def test_every_module_that_is_not_allowed_is_named_and_nothing_is_imported(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("raise RuntimeError('imported')\n")
    asks = {"type": "function", "module_path": "elsewhere", "function_name": "f"}
    written = document(
        task("a", module="beside", step_class="Named"), task("b", module="os"), paths=[path("a", "b", asks)]
    )
    with pytest.raises(PipelineDefinitionError) as refused:
        admit(written, folder=tmp_path, allowed=("my.*",))
    refusal = "which is not among the modules that may be used here"
    assert [(problem.where, problem.found) for problem in refused.value.problems] == [
        ("$.steps[1].module", f"the module 'os', {refusal}"),
        ("$.flow.paths", f"the module 'elsewhere', {refusal} (in a condition after step 'a')"),
    ]


def test_modules_that_are_not_allowed_are_named_beside_what_else_is_wrong(tmp_path: Path) -> None:
    written = document(task("a", module="os"), task("b") | {"type": "tsk"}, paths=[("a", "b"), ("b", "end")])
    with pytest.raises(PipelineDefinitionError) as refused:
        admit(written | {"surprise": 1}, folder=tmp_path, allowed=("my.*",))
    found = {problem.where: problem.text for problem in refused.value.problems}
    assert '"tsk"' in found["$.steps[1].type"]
    assert "surprise" in found["$.surprise"]
    assert "the module 'os'" in found["$.steps[0].module"]
    with pytest.raises(PipelineDefinitionError) as refused:
        admit({"steps": [1, {"id": 2}], "flow": {"paths": [3], "start_at": []}}, folder=tmp_path, allowed=())
    assert len(refused.value.problems) >= 2


def test_unknown_keys_are_refused() -> None:
    with pytest.raises(PipelineDefinitionError):
        admit(document("a") | {"surprise": 1}, folder=None, allowed=("*",))


def test_a_version_is_usable_where_its_folder_and_modules_are_and_may_be_used(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "beside.py").write_text("raise RuntimeError('imported')\n")
    allowed = AllowedCode(("far.*",), roots=(inside,))
    assert is_usable(stored("beside", inside), allowed)
    assert is_usable(stored("far.steps", None), allowed)
    assert not is_usable(stored("beside", outside), allowed)
    assert not is_usable(stored("beside", None), allowed)
    assert not is_usable(stored("far.steps", outside), allowed), "a worker would hand it back"
    (inside / "beside.py").unlink()
    assert not is_usable(stored("beside", inside), allowed)


@pytest.mark.parametrize("module", ["m" * 300, "a.../etc", "a\u0000b", "__main__", "os.__dict__"])
def test_a_module_that_cannot_be_one_is_a_problem(tmp_path: Path, module: str) -> None:
    with pytest.raises(PipelineDefinitionError):
        admit(document(task("a", module=module)), folder=tmp_path, allowed=("*",))


@pytest.mark.parametrize("runtime_env", ["env.json", {"env_vars": {"TOKEN": "hunter2"}}])
def test_what_ray_prepares_for_a_step_is_not_said_from_outside(runtime_env: object, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("def Named(data):\n    return data\n")
    (tmp_path / "env.json").write_text("{}")
    written = document(
        task("a", module="beside", step_class="Named", executor="ray", resources={"runtime_env": runtime_env})
    )
    with pytest.raises(PipelineDefinitionError, match="it comes from the operator, or from a local file") as refused:
        admit(written, folder=tmp_path, allowed=())
    assert [problem.where for problem in refused.value.problems] == ["$.steps[0].resources.runtime_env"]
    assert "hunter2" not in str(refused.value)
