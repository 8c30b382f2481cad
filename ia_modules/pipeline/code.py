"""From a definition to code: the classes of its steps and the functions of its conditions, and which code may run.

Modules beside a pipeline file belong to its folder alone: they are loaded under a name of that folder, so that two
folders may both have a ``steps.py``, and ``sys.path`` stays as it is. What such a module imports is looked for
beside it first.

Whoever may store a definition may run code. So the modules of a definition from the database or the API come from the
folder it was registered from, or are allowed by name: in ``IA_MODULES_STEP_MODULES``, or by an installed package that
offers steps.
"""

import builtins
import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType
from typing import Any

from ia_modules.errors import PipelineDefinitionError, Problem, StepError
from ia_modules.models import PipelineVersionRecord
from ia_modules.payload import clean_text
from ia_modules.pipeline.allowed_code import AllowedCode
from ia_modules.pipeline.core import Step
from ia_modules.pipeline.document.conditions import FunctionCall
from ia_modules.pipeline.document.definition import PipelineDefinition, StepDefinition
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.module_locks import ModuleLocks
from ia_modules.pipeline.routing import functions_asked
from ia_modules.pipeline.versions import definition_of
from ia_modules.tasks import is_ctrl_c

_MODULE_LOCKS = ModuleLocks()

StepFactory = Callable[[str, dict[str, Any]], Step]


class StepModules:
    """Where the code of steps comes from: a folder, then what is installed."""

    def __init__(self, folder: Path | None = None, *, allowed: tuple[str, ...] | None = None) -> None:
        """Look for modules.

        Args:
            folder: modules in it come first.
            allowed: patterns of module names that may be imported from elsewhere, such as ``my_company.steps.*``; None:
                every module, for files that local code passes in.
        """
        self._folder = None if folder is None else folder.resolve()
        self._allowed = allowed

    def attribute(self, module: str, name: str) -> Any:
        """``name`` of a module.

        Raises:
            LookupError: it is not there, or may not be imported; the message says why.
        """
        found = self._module(module)
        try:
            code = getattr(found, name)
        except AttributeError:
            there = ", ".join(sorted(each for each in vars(found) if not each.startswith("_"))) or "nothing"
            raise LookupError(f"module {module!r} has no {name!r}; it has {there}") from None
        home = str(getattr(code, "__module__", None) or found.__name__)
        if self._allowed is not None and not self._is_home(home):
            raise LookupError(f"{name!r} of module {module!r} is code of {home!r}, which may not be used here")
        return code

    def allows(self, module: str) -> bool:
        """Whether a module may be used: it lies in the folder, or is allowed by name. Nothing is imported."""
        beside = self._folder is not None and _file_of(self._folder, module) is not None
        return beside or self._allowed is None or any(fnmatchcase(module, pattern) for pattern in self._allowed)

    def _is_home(self, home: str) -> bool:
        """Whether code may come from a module, by its loaded name; what a module imported is not its to give away."""
        beside = self._folder is not None and f"{home}.".startswith(f"{_root_of(self._folder)}.")
        return beside or any(fnmatchcase(home, pattern) for pattern in self._allowed or ())

    def _module(self, module: str) -> ModuleType:
        if self._folder is not None and (path := _file_of(self._folder, module)) is not None:
            return _load(self._folder, module, path)
        if self._allowed is not None and not self.allows(module):
            allowed = ", ".join(self._allowed) or "none"
            raise LookupError(f"module {module!r} is not among the modules that may be used here: {allowed}")
        try:
            return importlib.import_module(module)
        except ImportError as error:
            beside = f" Nor is there a {module.replace('.', '/')}.py in {self._folder}." if self._folder else ""
            raise LookupError(f"module {module!r} cannot be imported: {error}.{beside}") from error
        except BaseException as error:  # user code: whatever it raises, it cannot be used
            if is_ctrl_c(error):
                raise
            found = f"module {module!r} cannot be loaded: {type(error).__name__}: {error}"
            raise LookupError(found) from error


@dataclass(frozen=True, slots=True)
class LoadedPipeline:
    """A definition with its code.

    Attributes:
        factories: for each step that has code, what makes an object of it.
        functions: the functions that its conditions call.
        folder: where its modules lie; None when they are installed.
    """

    definition: PipelineDefinition
    graph: Graph
    factories: Mapping[str, StepFactory]
    functions: Mapping[FunctionCall, Callable[..., Any]]
    folder: Path | None

    def step(self, step_id: str) -> StepDefinition:
        return self.definition.steps[self.graph.place[step_id]]

    def new_step(self, step: StepDefinition, config: dict[str, Any]) -> Step | None:
        """An object of the step's class for one attempt; None where the step has no code of its own.

        Raises:
            StepError: its ``__init__`` failed.
        """
        factory = self.factories.get(step.id)
        if factory is None:
            return None
        try:
            return factory(step.id, config)
        except BaseException as error:
            if is_ctrl_c(error):
                raise
            raise StepError(step.id, f"it could not be made: {type(error).__name__}: {clean_text(error)}") from error


def load_pipeline(
    definition: PipelineDefinition,
    modules: StepModules,
    *,
    folder: Path | None = None,
    prepared: Mapping[str, StepFactory] | None = None,
) -> LoadedPipeline:
    """The definition with the code of its steps and conditions, all of it imported now.

    Args:
        prepared: code that needs no import, by step id.

    Raises:
        PipelineDefinitionError: code cannot be found or may not be used; has every problem.
    """
    problems: list[Problem] = []
    factories: dict[str, StepFactory] = dict(prepared or {})
    functions: dict[FunctionCall, Callable[..., Any]] = {}
    graph = Graph(definition)
    for index, step in enumerate(definition.steps):
        if step.step_class is not None and step.module is not None and step.id not in factories:
            try:
                factories[step.id] = factory_of(modules.attribute(step.module, step.step_class))
            except (LookupError, TypeError) as error:
                problems.append(
                    Problem(f"$.steps[{index}]", str(error.args[0]), "a class with run(data), or a function")
                )
        for call in functions_asked(graph, step.id):
            try:
                functions[call] = modules.attribute(call.module_path, call.function_name)
            except LookupError as error:
                found = f"the condition {call} after step {step.id!r}: {error.args[0]}"
                problems.append(Problem("$.flow.paths", found, "a function (context, parameters) -> bool"))
    if problems:
        raise PipelineDefinitionError(problems)
    return LoadedPipeline(definition, graph, factories, functions, folder)


def load_version(stored: PipelineVersionRecord, *, allowed: AllowedCode) -> LoadedPipeline:
    """A stored definition with its code.

    Args:
        allowed: as from :func:`ia_modules.pipeline.allowed_code.allowed_code`.

    Raises:
        PipelineDefinitionError: its code cannot be found any more, or may not be used; with every problem.
    """
    definition = definition_of(stored)
    folder = allowed.folder_of(stored)
    return load_pipeline(definition, StepModules(folder, allowed=allowed.modules), folder=folder)


def factory_of(code: Any) -> StepFactory:
    """What makes a step of a class, or of a function that takes the data.

    Raises:
        TypeError: it is neither.
    """
    code = inspect.unwrap(code) if callable(code) else code  # a decorated function is what it was
    if isinstance(code, type):
        if not issubclass(code, Step):
            raise TypeError(f"class {code.__qualname__}, which does not derive from ia_modules.pipeline.core.Step")
        return code
    if not callable(code):  # its value may be a secret, and definitions come from the API
        raise TypeError(f"a value of type {type(code).__name__}, which is neither a class nor a function")

    def make(name: str, config: dict[str, Any]) -> Step:
        step = Step(name, config)
        setattr(step, "run", code)  # noqa: B010 - its own, called with the data alone; a plain function is as good
        return step

    return make


def _file_of(folder: Path, module: str) -> Path | None:
    place = folder.joinpath(*module.split("."))
    for candidate in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
        if candidate.is_file() and candidate.resolve().is_relative_to(folder):
            return candidate
    return None


def _root_of(folder: Path) -> str:
    """The package, of this process alone, that a folder's modules are loaded under."""
    root = f"ia_modules_steps_{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    if root not in sys.modules:
        package = ModuleType(root)
        package.__path__ = []  # nothing is found in it but by the importer here
        sys.modules.setdefault(root, package)  # another thread may have been faster
    return root


def _load(folder: Path, module: str, path: Path) -> ModuleType:
    """The module in this folder, and the packages around it, once for every state of its file."""
    root = _root_of(folder)
    around, _, own = module.rpartition(".")
    parent = sys.modules[root] if not around else _load(folder, around, _existing(folder, around))
    name = f"{root}.{module}"
    stamp = (path.stat().st_mtime_ns, path.stat().st_size)
    with _MODULE_LOCKS.holding(name):
        known = sys.modules.get(name)
        if known is None or getattr(known, "__ia_stamp__", None) != stamp:
            known = _execute(folder, module, path, name, stamp)
            setattr(parent, own, known)
    return known


def _execute(folder: Path, module: str, path: Path, name: str, stamp: tuple[int, int]) -> ModuleType:
    inside = [str(path.parent)] if path.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=inside)
    if spec is None or spec.loader is None:
        raise LookupError(f"{path} cannot be loaded as a module")
    loaded = importlib.util.module_from_spec(spec)
    loaded.__dict__["__ia_stamp__"] = stamp
    loaded.__dict__["__builtins__"] = {**vars(builtins), "__import__": _importer(folder)}
    sys.modules[name] = loaded  # before it runs: dataclasses and pickling look their module up
    try:
        spec.loader.exec_module(loaded)
    except BaseException as error:
        del sys.modules[name]
        if is_ctrl_c(error):
            raise
        found = f"module {module!r} ({path.name}) cannot be loaded: {type(error).__name__}: {error}"
        raise LookupError(found) from error
    return loaded


def _importer(folder: Path) -> Callable[..., Any]:
    """``import`` as it works in a folder's modules: what lies beside them comes first."""
    root = _root_of(folder)

    def import_(
        name: str,
        globals_: Mapping[str, Any] | None = None,
        locals_: Mapping[str, Any] | None = None,
        fromlist: tuple[str, ...] | None = (),
        level: int = 0,
    ) -> Any:
        package = str((globals_ or {}).get("__package__") or "")
        absolute = importlib.util.resolve_name("." * level + name, package) if level else f"{root}.{name}"
        wanted = absolute.removeprefix(root).removeprefix(".")
        if level and not f"{absolute}.".startswith(f"{root}."):
            return builtins.__import__(name, globals_, locals_, fromlist or (), level)
        beside = _file_of(folder, wanted) if wanted else None
        if wanted and beside is None:
            return builtins.__import__(name, globals_, locals_, fromlist or (), level)
        module = _load(folder, wanted, beside) if beside else sys.modules[root]
        for each in fromlist or ():
            inner = f"{wanted}.{each}" if wanted else each
            if not hasattr(module, each) and (path := _file_of(folder, inner)) is not None:
                _load(folder, inner, path)
        if fromlist or level:
            return module
        top = wanted.partition(".")[0]
        return _load(folder, top, _existing(folder, top))

    return import_


def _existing(folder: Path, module: str) -> Path:
    path = _file_of(folder, module)
    if path is None:
        raise LookupError(f"there is no module {module!r} in {folder}")
    return path
