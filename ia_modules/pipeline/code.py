"""From a definition to code: the classes of its steps and the functions of its conditions, and which code may run.

Whoever may store a definition may run code. So the modules of a definition from the database or the API come from the
folder it was registered from, or are allowed by name: in ``IA_MODULES_STEP_MODULES``, or by an installed package that
offers steps.
"""

import functools
import hashlib
import inspect
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, cast
from weakref import WeakKeyDictionary

from ia_modules.errors import InvalidValue, PipelineDefinitionError, Problem, StepError
from ia_modules.models import PipelineVersionRecord, RegisteredVersion
from ia_modules.payload import clean_text
from ia_modules.pipeline import beside
from ia_modules.pipeline.allowed_code import AllowedCode
from ia_modules.pipeline.binding import Binding, binding_of
from ia_modules.pipeline.contracts import input_schema_of
from ia_modules.pipeline.core import Step
from ia_modules.pipeline.document.conditions import FunctionCall
from ia_modules.pipeline.document.definition import PipelineDefinition, StepDefinition
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.document.json_schema import path_text
from ia_modules.pipeline.document.known_fields import Shape, returned_by
from ia_modules.pipeline.document.problems import weighed
from ia_modules.pipeline.document.references import field_findings
from ia_modules.pipeline.document.structure import findings
from ia_modules.pipeline.remote_calls import Needs, PoolNeeds, RemoteCode
from ia_modules.pipeline.routing import functions_asked
from ia_modules.pipeline.runtime_env import read_runtime_env
from ia_modules.pipeline.standing import FactsOfSteps
from ia_modules.pipeline.step_modules import StepModules, home_of, misspelled, plain
from ia_modules.pipeline.versions import definition_of
from ia_modules.tasks import is_ctrl_c

MOST_FOUND = 100
"""Fields that are reported at once when nothing has them."""

_STEP_CODE = "a class with run(data), or a function"

CodeName = tuple[str, str]
"""A module, and the name of a class or function in it."""

StepFactory = Callable[[str, dict[str, Any]], Any]
"""A class derived from Step, or what was made of one: called with a step's id and config, it gives a Step."""


class RemoteStep(NamedTuple):
    """A step whose code another process imports; ``generation``: what is loaded here of the folder it lies in."""

    code: RemoteCode
    generation: beside.Generation | None
    needs: Needs

    def fingerprint(self) -> dict[str, str]:
        return {} if self.generation is None else beside.fingerprint(self.generation)


@dataclass(frozen=True, slots=True)
class LoadedPipeline:
    """A definition with its code.

    Attributes:
        factories: for each step that has code, what makes an object of it.
        functions: the functions that its conditions call.
        bindings: for each step that is a function, how it is called; without one, with the whole data as it is.
        remote: the steps that run in a process of their own; nothing is made of their factories here.
        folder: where its modules lie; None when they are installed.
        modules: where its code comes from; held here, so that it stays loaded while the pipeline is in use.
        warnings: what was wrong when it was read, and does not keep it from being run.
        registered: the version that it is on record as, by journal; a journal is there once it has run there.
        facts: what of each step does not depend on what has run.
    """

    definition: PipelineDefinition
    graph: Graph
    factories: Mapping[str, StepFactory]
    functions: Mapping[FunctionCall, Callable[..., Any]]
    folder: Path | None
    modules: StepModules | None = None
    warnings: tuple[Problem, ...] = ()
    bindings: Mapping[str, Binding] = field(default_factory=dict[str, Binding])
    remote: Mapping[str, RemoteStep] = field(default_factory=dict[str, RemoteStep])
    registered: WeakKeyDictionary[object, RegisteredVersion] = field(
        default_factory=WeakKeyDictionary[object, RegisteredVersion], compare=False, repr=False
    )
    facts: FactsOfSteps = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "facts", FactsOfSteps(self.graph))

    def step(self, step_id: str) -> StepDefinition:
        return self.graph.step(step_id)

    def new_step(self, step: StepDefinition, config: dict[str, Any]) -> Step | None:
        """An object of the step's class for one attempt; None where the step has no code of its own, or not here.

        Raises:
            StepError: its ``__init__`` failed.
        """
        factory = self.factories.get(step.id)
        if factory is None or step.id in self.remote:
            return None
        return made_step(factory, step.id, config)


def made_step(factory: StepFactory, step_id: str, config: dict[str, Any]) -> Step:
    """An object of a step's class.

    Raises:
        StepError: its ``__init__`` failed.
    """
    try:
        made = factory(step_id, config)
    except BaseException as error:
        if is_ctrl_c(error):
            raise
        raise StepError(step_id, f"it could not be made: {type(error).__name__}: {clean_text(error)}") from error
    if not isinstance(made, Step):
        raise StepError(step_id, f"its class gave an object of type {type(made).__name__}, which is no Step.")
    return made


def load_pipeline(
    definition: PipelineDefinition,
    modules: StepModules,
    *,
    folder: Path | None = None,
    prepared: Mapping[str, StepFactory] | None = None,
    functions: Mapping[CodeName, Callable[..., Any]] | None = None,
    document: Any = None,
    warnings: tuple[Problem, ...] = (),
    strict: bool = False,
) -> LoadedPipeline:
    """The definition with the code of its steps and conditions, all of it imported now, and none before all of it may.

    Args:
        prepared: code that needs no import, by step id.
        functions: functions of conditions that need no import.
        document: what the definition was read from, for the places of problems; None: its canonical form.
        warnings: what was found when the definition was read, and does not keep it from being run.
        strict: a field that a closed result does not have is an error, not a warning.

    Raises:
        PipelineDefinitionError: code cannot be found or may not be used; has every problem.
    """
    factories, known = dict(prepared or {}), functions or {}
    problems = [*refused_names(definition, modules, prepared=factories, functions=known)]
    if problems:
        raise PipelineDefinitionError(problems)
    graph = Graph(definition)
    answers: dict[FunctionCall, Callable[..., Any]] = {}
    for index, (module, name) in _code_of(definition, factories).items():
        try:
            factories[definition.steps[index].id] = factory_of(modules.code(module, name))
        except (LookupError, TypeError) as error:
            problems.append(Problem(f"$.steps[{index}]", str(error.args[0]), _STEP_CODE))
    for call, step_id in _calls_of(definition).items():
        place = (call.module_path, call.function_name)
        try:
            answers[call] = known[place] if place in known else _condition_of(modules.code(*place))
        except (LookupError, TypeError) as error:
            found = f"the condition {call} after step {step_id!r}: {error.args[0]}"
            problems.append(Problem("$.flow.paths", found, "a function (context, parameters) -> bool"))
    bindings = _bindings(definition, factories, problems)
    remote = _remote(definition, factories, modules, prepared or {}, problems)
    problems += _runtime_env_problems(definition, modules)
    if problems:
        raise PipelineDefinitionError(problems)
    errors, more = weighed(
        islice(field_findings(definition, {each: _returned_by(made) for each, made in factories.items()}), MOST_FOUND),
        definition,
        definition.to_json() if document is None else document,
        strict=strict,
    )
    if errors:
        raise PipelineDefinitionError(errors)
    return LoadedPipeline(definition, graph, factories, answers, folder, modules, (*warnings, *more), bindings, remote)


def load_steps(definition: PipelineDefinition, modules: StepModules, step_ids: Collection[str]) -> LoadedPipeline:
    """The definition with the code of some of its steps: of the others, and of conditions, nothing is imported.

    Raises:
        PipelineDefinitionError: code cannot be found; has every problem.
    """
    factories: dict[str, StepFactory] = {}
    problems: list[Problem] = []
    left_out = [step.id for step in definition.steps if step.id not in step_ids]
    for index, (module, name) in _code_of(definition, left_out).items():
        try:
            factories[definition.steps[index].id] = factory_of(modules.code(module, name))
        except (LookupError, TypeError) as error:
            problems.append(Problem(f"$.steps[{index}]", str(error.args[0]), _STEP_CODE))
    bindings = _bindings(definition, factories, problems)
    if problems:
        raise PipelineDefinitionError(problems)
    return LoadedPipeline(definition, Graph(definition), factories, {}, None, modules, bindings=bindings)


def _bindings(
    definition: PipelineDefinition, factories: Mapping[str, StepFactory], problems: list[Problem]
) -> dict[str, Binding]:
    """How the functions among the steps are called, by step id; ``problems`` learns of those that cannot be."""
    bindings: dict[str, Binding] = {}
    parameters = {each.name for each in definition.parameters}
    for index, step in enumerate(definition.steps):
        function = getattr(factories.get(step.id), "code", None)
        if function is None:
            continue
        try:
            binding = binding_of(function, inputs=_names_of_inputs(step, definition), parameters=parameters)
        except InvalidValue as wrong:
            where = f"$.steps[{index}]{path_text(wrong.inside)}"
            problems.append(Problem(where, wrong.found, wrong.expected, wrong.hint))
            continue
        if binding is not None:
            is_contract = step.input_schema is not None and step.input_schema == input_schema_of(binding)
            bindings[step.id] = replace(binding, is_contract=is_contract)
    return bindings


def _remote(
    definition: PipelineDefinition,
    factories: Mapping[str, StepFactory],
    modules: StepModules,
    prepared: Mapping[str, StepFactory],
    problems: list[Problem],
) -> dict[str, RemoteStep]:
    """The steps that run in processes of their own, by id; ``problems`` learns of those whose code none can import."""
    remote: dict[str, RemoteStep] = {}
    for index, step in enumerate(definition.steps):
        if step.runs_in == "local" or step.module is None or step.step_class is None or step.id not in factories:
            continue
        factory, generation = factories[step.id], modules.generation
        if step.id in prepared:
            code = getattr(factory, "code", factory)
            if wrong := _not_imported((step.module, step.step_class), code):
                found = f"{step.step_class!r} of {step.module!r}, {wrong}"
                problems.append(Problem(f"$.steps[{index}]", found, _IMPORTED, _IMPORTED_HINT))
                continue
            folder = beside.folder_of(home_of(code))
            generation = None if folder is None else beside.generation_of(folder)
        home = None if generation is None else str(generation.folder)
        remote[step.id] = RemoteStep(
            RemoteCode(
                module=step.module,
                name=step.step_class,
                folder=home,
                allowed=modules.allowed,
                inputs=_names_of_inputs(step, definition),
                parameters=tuple(each.name for each in definition.parameters),
                has_fallback=hasattr(factory, "fallback"),
            ),
            generation,
            _needs_of(step, definition, home, modules),
        )
    return remote


def _runtime_env_problems(definition: PipelineDefinition, modules: StepModules) -> Iterator[Problem]:
    """Files with a runtime_env that are not beside the pipeline's, or hold none."""
    for index, step in enumerate(definition.steps):
        if (name := step.resources.runtime_env_file) is None:
            continue
        file = _beside(name, modules)
        if file is None:
            found = f"{name!r}, which is no file in the folder of the pipeline"
        else:
            try:
                read_runtime_env(file)
                continue
            except ValueError as wrong:
                found = f"{name!r}, which {wrong}"
        where = f"$.steps[{index}].resources.runtime_env"
        yield Problem(where, found, "the name of a JSON file beside the pipeline's, with Ray's runtime_env")


def _beside(name: str, modules: StepModules) -> Path | None:
    """A file of the folder; None: it is none, or lies elsewhere."""
    if modules.generation is None:
        return None
    try:
        folder = modules.generation.folder.resolve()
        file = (folder / name).resolve()
        return file if file.is_relative_to(folder) and file.is_file() else None
    except (OSError, ValueError, RuntimeError):  # no file can have that name, or a link leads to itself
        return None


def _needs_of(step: StepDefinition, definition: PipelineDefinition, folder: str | None, modules: StepModules) -> Needs:
    file = None if step.resources.runtime_env_file is None else _beside(step.resources.runtime_env_file, modules)
    has, place, pool = step.resources, step.runs_in, step.pool
    assert place != "local"
    if pool is not None:  # of this version and its folder, as its objects are
        version = hashlib.sha256(f"{definition.content_hash} {folder}".encode()).hexdigest()[:32]
        pool = PoolNeeds(f"{definition.slug}/{version}/{pool.name}", pool.max_concurrency, pool.idle_seconds)
    return Needs(
        place=place,
        cpu=1.0 if has.cpu is None else has.cpu,
        gpu=has.gpu or 0.0,
        memory=has.memory or 0,
        custom=has.custom,
        may_fall_back=not (has.gpu or has.required),
        may_move=step.executor is None and place == "process",
        pool=pool,
        runtime_env=None if file is None else str(file),
    )


_IMPORTED = "a function or a class at the top level of a module, for a step in a process of its own"
_IMPORTED_HINT = "That process imports it by its name. Move it into a module of its own, or leave out isolation."


def unnamed(place: CodeName, code: Callable[..., Any]) -> str | None:
    """Why nobody can import this code by this name; None: it can be."""
    if wrong := misspelled(place[0]) or misspelled(place[1]):
        return wrong
    module = sys.modules.get(getattr(plain(code), "__module__", None) or "") or sys.modules.get(place[0])
    found = functools.reduce(lambda inside, name: getattr(inside, name, None), place[1].split("."), module)
    return None if module is None or plain(found) is plain(code) else "which is not the code that runs here"


def _not_imported(place: CodeName, code: Callable[..., Any]) -> str | None:
    """Why another process would not find this code by this name; None: it would."""
    if wrong := unnamed(place, code):
        return wrong
    return None if home_of(code) in sys.modules else "a module that nobody has imported here"


def _names_of_inputs(step: StepDefinition, definition: PipelineDefinition) -> tuple[str, ...] | None:
    """The names of the inputs that a function is called with; None: it is given the state."""
    return tuple(each.name for each in step.inputs) if step.inputs and not definition.is_lenient else None


def refused_names(
    definition: PipelineDefinition,
    modules: StepModules,
    *,
    prepared: Collection[str] = (),
    functions: Collection[CodeName] = (),
) -> Iterator[Problem]:
    """What may not be used by its names alone; nothing is imported. Without what is ``prepared``, as above."""
    for index, (module, name) in _code_of(definition, prepared).items():
        if wrong := modules.refused(module, name):
            yield replace(wrong, where=f"$.steps[{index}].{wrong.where}")
    for call, step_id in _calls_of(definition).items():
        place = (call.module_path, call.function_name)
        if place not in functions and (wrong := modules.refused(*place)):
            yield replace(wrong, where="$.flow.paths", found=f"{wrong.found} (in a condition after step {step_id!r})")


def _code_of(definition: PipelineDefinition, prepared: Collection[str]) -> dict[int, CodeName]:
    """The code of steps, by their indexes."""
    return {
        index: (step.module, step.step_class)
        for index, step in enumerate(definition.steps)
        if step.module is not None and step.step_class is not None and step.id not in prepared
    }


def _calls_of(definition: PipelineDefinition) -> dict[FunctionCall, str]:
    """The functions of conditions, each with a step before it."""
    graph = Graph(definition)
    return {call: step.id for step in definition.steps for call in functions_asked(graph, step.id)}


def load_version(
    stored: PipelineVersionRecord, *, allowed: AllowedCode, before: LoadedPipeline | None = None
) -> LoadedPipeline:
    """A stored definition with its code.

    Args:
        allowed: as from :func:`ia_modules.pipeline.allowed_code.allowed_code`.
        before: as what it was loaded last, which is returned when nothing of its code has changed.

    Raises:
        PipelineDefinitionError: its code cannot be found any more, or may not be used; with every problem.
    """
    folder = allowed.folder_of(stored)
    modules = StepModules(folder, allowed=allowed.modules)
    if before is not None and before.modules is not None and modules.finds_the_same_as(before.modules):
        return before
    definition = definition_of(stored)
    _, warnings = weighed(findings(definition), definition, stored.definition, strict=False)
    return load_pipeline(definition, modules, folder=folder, warnings=warnings)


def factory_of(code: Any) -> StepFactory:
    """What makes a step of a class, or of a function; decorators of either are in force.

    Raises:
        TypeError: it is neither.
    """
    code = plain(code)
    made = code if isinstance(code, type) else _decorated(code)
    if isinstance(made, type):
        if not issubclass(made, Step):
            raise TypeError(f"class {made.__qualname__}, which does not derive from ia_modules.pipeline.core.Step")
        return code
    if not callable(code):
        raise TypeError(f"a value of type {type(code).__name__}, which is neither a class nor a function")

    def make(name: str, config: dict[str, Any]) -> Step:
        step = Step(name, config)
        setattr(step, "run", code)  # noqa: B010 - its own, called as its binding says; a plain function is as good
        return step

    setattr(make, "code", code)  # noqa: B010 - for its return type and its parameters
    return make


def function_of(code: Any) -> Callable[..., Any] | None:
    """The function that the steps of some code are; None: it makes objects, or there is none."""
    try:
        return None if code is None else getattr(factory_of(code), "code", None)
    except TypeError:  # said when it is loaded
        return None


def _condition_of(code: Callable[..., Any]) -> Callable[..., Any]:
    if isinstance(code, type):
        raise TypeError(f"class {code.__qualname__}, whose objects would always hold")
    if inspect.isasyncgenfunction(code):
        raise TypeError("a function with `async def` and `yield`, which says neither yes nor no")
    return code


def _returned_by(factory: StepFactory) -> Shape:
    """What is known of the result of the steps that a factory makes."""
    code: Any = getattr(factory, "code", factory)
    if isinstance(code, type):
        code = cast("type[Step]", code)
        code = code.run if code.execute is Step.execute else code.execute
    return returned_by(code)


def _decorated(code: Any) -> Any:
    """What a user's decorator stands around, to see what it makes; None where there is none."""
    try:
        return inspect.unwrap(code)
    except ValueError:  # it wraps itself
        return None
