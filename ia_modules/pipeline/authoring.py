"""Pipelines written in Python: functions and classes as steps, ``>>`` for paths. The same model as a file gives.

flow = Flow("Review", parameters={"folder": "src"})

@flow.step
async def load(data): ...

@flow.step(timeout_seconds=60, retry={"max_attempts": 3})
def check(data): ...

load >> [check, count] >> report
report >> first(when("result.score", ">=", 0.8) >> publish, otherwise >> hold_back)
publish >> finish

result = await flow.run({"folder": "lib"})
"""

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce, update_wrapper
from itertools import count
from pathlib import Path
from typing import Any, Generic, Literal, ParamSpec, Self, TypeAlias, TypeVar, cast, overload

from ia_modules.errors import InvalidArgument, PipelineDefinitionError, Problem
from ia_modules.pipeline.beside import name_beside
from ia_modules.pipeline.code import (
    CodeName,
    LoadedPipeline,
    StandIn,
    StepFactory,
    StepModules,
    factory_of,
    load_pipeline,
    misspelled,
    plain,
)
from ia_modules.pipeline.core import ExecutionContext
from ia_modules.pipeline.document.definition import PipelineDefinition, RouteRule
from ia_modules.pipeline.document.merge import MergeRule
from ia_modules.pipeline.loader import load
from ia_modules.pipeline.recovery import Recovered
from ia_modules.pipeline.runner import Pipeline
from ia_modules.pipeline.services import ServiceRegistry

P = ParamSpec("P")
R = TypeVar("R")
N = TypeVar("N", bound="StepNode | End")


@dataclass(frozen=True, slots=True)
class When:
    """The condition of a path. It stands between two steps: ``score >> when("result.n", ">", 3) >> publish``.

    Without a step before it, it makes a branch for :func:`first`.
    """

    condition: Any

    def __rshift__(self, target: "StepNode | End") -> "Branch":
        if not isinstance(cast(Any, target), StepNode | End):
            raise InvalidArgument("target of a branch", repr(target), "one step, end or finish after its condition")
        return Branch(self, target)

    def __invert__(self) -> "When":
        """``~when(...)``: it does not hold."""
        return When({"type": "not", "condition": self.condition})

    def __and__(self, other: "When") -> "When":
        return When({"type": "all", "conditions": [self.condition, _condition_of(other)]})

    def __or__(self, other: "When") -> "When":
        return When({"type": "any", "conditions": [self.condition, _condition_of(other)]})


def _condition_of(other: Any) -> Any:
    if not isinstance(other, When):  # >> binds before & and |
        raise InvalidArgument("condition", repr(other), "when(...); write (when(...) & when(...)) >> step")
    return other.condition


def when(source: str | Callable[..., Any], operator: str = "exists", value: Any = True, /, **parameters: Any) -> When:
    """A condition on a path.

    Args:
        source: ``result.FIELD`` of the step just run, ``STEP.FIELD``, a field of the state, ``{parameters.X}``,
            ``run.iteration`` of the step just run; or a function ``(context, parameters) -> bool``, which is given
            ``parameters``.
        operator: any of the format's: ``==``, ``>=``, ``in``, ``contains``, ``regex``, …
        value: what to compare with; a text may be a template.
    """
    if callable(source):
        return When({"type": "function", "code": source, "parameters": parameters})
    return When({"type": "expression", "config": {"source": source, "operator": operator, "value": value}})


otherwise = When("else")
"""The path is taken when no other path of its step is."""


@dataclass(frozen=True, slots=True)
class End:
    """Where a path leads out of the pipeline. ``ends="execution"``: it completes it, whatever else still runs."""

    name: str = "end"
    ends: Literal["execution"] | None = None

    def __rrshift__(self, sources: "Sequence[StepNode]") -> Self:
        """``[a, b] >> finish``."""
        _connect(sources, self, "always")
        return self


end = End()
"""The branch ends here; others go on."""

finish = End(ends="execution")
"""The execution is completed here: what still runs is stopped, and the output is made of what led here."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A condition with what it leads to, one of those that :func:`first` chooses from."""

    when: When
    target: "StepNode | End"


@dataclass(frozen=True, slots=True)
class First:
    """The branches after a step of which the first that holds is taken."""

    branches: tuple[Branch, ...]


def first(*branches: Branch) -> First:
    """Branches of which one is taken, the first that holds, as in ``first(when("result.n") >> a, otherwise >> b)``.

    The conditions after it are not evaluated, and their functions not called.

    Raises:
        InvalidArgument: there is no branch, or something that is none.
    """
    expected = "branches such as when(...) >> step, otherwise >> step"
    if not branches:
        raise InvalidArgument("branches of first", "nothing", expected)
    for each in branches:
        if not isinstance(cast(Any, each), Branch):
            raise InvalidArgument("branches of first", repr(each), expected)
    return First(branches)


class _Origin:
    """Where paths may begin: a step, or several."""

    def ends(self) -> "Sequence[StepNode]":
        """The steps that the paths begin at."""
        raise NotImplementedError

    @overload
    def __rshift__(self, target: When) -> "_Conditional": ...
    @overload
    def __rshift__(self, target: First) -> "Group": ...
    @overload
    def __rshift__(self, target: N) -> N: ...
    @overload
    def __rshift__(self, target: "Sequence[_Target]") -> "Group": ...
    def __rshift__(self, target: "When | First | _Target | Sequence[_Target]") -> "_Conditional | _Target | Group":
        """A path to a step or an end, paths to several at the same time, or a condition on what follows."""
        if isinstance(target, When):
            return _Conditional(self.ends(), target.condition)
        if isinstance(target, First):
            return _connect_first(self.ends(), target)
        return _connect(self.ends(), target, "always")


class StepNode(_Origin):
    """A step of a flow."""

    def __init__(self, flow: "Flow", step_id: str) -> None:
        self.flow, self.id = flow, step_id

    def __repr__(self) -> str:
        return f"<step {self.id!r} of {self.flow.name!r}>"

    def __rrshift__(self, sources: "Sequence[StepNode]") -> Self:
        """``[a, b] >> join``."""
        if not isinstance(cast(Any, sources), Sequence):
            raise InvalidArgument("source of a path", repr(sources), f"a step, or several, before {self.id!r}")
        _connect(sources, self, "always")
        return self

    def ends(self) -> "Sequence[StepNode]":
        return [self]


class Node(StepNode, StandIn, Generic[P, R]):
    """A step with code. Called, it is the function that it was made of."""

    def __init__(self, flow: "Flow", step_id: str, code: Callable[P, R]) -> None:
        super().__init__(flow, step_id)
        self.__wrapped__ = code
        update_wrapper(self, code, updated=())

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.__wrapped__(*args, **kwargs)


class Group(_Origin):
    """Several steps that run at the same time."""

    def __init__(self, nodes: Sequence[StepNode]) -> None:
        self._nodes = nodes

    def ends(self) -> Sequence[StepNode]:
        return self._nodes


@dataclass(frozen=True, slots=True)
class _Conditional:
    """Paths with a condition, whose target comes next."""

    sources: Sequence[StepNode]
    condition: Any

    @overload
    def __rshift__(self, target: N) -> N: ...
    @overload
    def __rshift__(self, target: "Sequence[_Target]") -> Group: ...
    def __rshift__(self, target: "_Target | Sequence[_Target]") -> "_Target | Group":
        return _connect(self.sources, target, self.condition)


_Target: TypeAlias = StepNode | End


def _connect(sources: Sequence[StepNode], target: _Target | Sequence[_Target], condition: Any) -> _Target | Group:
    targets = [target] if isinstance(target, _Target) else target
    for source in sources:
        for each in targets:
            if isinstance(each, StepNode):
                source.flow.connect(source.id, each.id, condition)
            else:
                source.flow.connect(source.id, each.name, condition, ends=each.ends)
    return target if isinstance(target, _Target) else _steps_of(targets)


def _connect_first(sources: Sequence[StepNode], target: First) -> Group:
    for source in sources:
        source.flow.take_first(source.id)
        for branch in target.branches:
            _connect([source], branch.target, branch.when.condition)
    return _steps_of([branch.target for branch in target.branches])


def _steps_of(targets: Sequence[_Target]) -> Group:
    return Group([each for each in targets if isinstance(each, StepNode)])


@dataclass
class Flow:
    """A pipeline that is being written.

    Attributes:
        parameters, outputs, merge, loop_config, error_handling: as in a pipeline file.
        route: how many paths of a step are taken: ``all`` that hold, or the ``first``; None: all.
    """

    name: str
    slug: str | None = None
    description: str | None = None
    parameters: Any = None
    outputs: Mapping[str, Any] | None = None
    merge: Mapping[str, MergeRule] | None = None
    loop_config: Mapping[str, Any] | None = None
    error_handling: Mapping[str, Any] | None = None
    route: RouteRule | None = None
    _steps: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]], init=False)
    _paths: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]], init=False)
    _code: dict[str, Callable[..., Any]] = field(default_factory=dict[str, Callable[..., Any]], init=False)
    _first: set[str] = field(default_factory=set[str], init=False)

    @overload
    def step(self, code: Callable[P, R], /) -> Node[P, R]: ...
    @overload
    def step(self, /, **keys: Any) -> Callable[[Callable[P, R]], Node[P, R]]: ...
    def step(self, code: Callable[..., Any] | None = None, /, **keys: Any) -> Any:
        """Make a function, or a class derived from ``Step``, a step of this flow; its id is its name, as it stands.

        Args:
            keys: ``id``, ``name``, ``inputs``, ``config``, ``timeout_seconds``, ``max_iterations``, … as in a file;
                ``retry``, ``continue_on_error`` and ``enable_fallback`` are short for ``error_handling``.
        """
        return partial(self.add, **keys) if code is None else self.add(code, **keys)

    def add(self, code: Callable[P, R], /, **keys: Any) -> Node[P, R]:
        """As :meth:`step`, without a decorator: for the same class twice, with other ids and configs."""
        handling = dict(keys.pop("error_handling", {}))
        handling |= {key: keys.pop(key) for key in ("retry", "continue_on_error", "enable_fallback") if key in keys}
        step_id = keys.pop("id", None) or getattr(code, "__name__", type(code).__name__)
        module, name = _place_of(code)
        written = {"id": step_id, "step_class": name, "module": module, **keys}
        self._put(written | ({"error_handling": handling} if handling else {}), code)
        self._code[step_id] = code
        return Node(self, step_id, code)

    def ask(self, step_id: str, **config: Any) -> StepNode:
        """A step that asks a person. ``config``: ``prompt``, ``ui_schema``, ``timeout_seconds``, ``on_timeout``."""
        self._put({"id": step_id, "type": "human_input", "config": config}, None)
        return StepNode(self, step_id)

    def connect(
        self, from_step: str, to_step: str, condition: Any = "always", *, ends: Literal["execution"] | None = None
    ) -> None:
        """A path, by the ids of its steps; ``to_step`` may be ``end``. The same path twice is one."""
        path = {"from_step": from_step, "to_step": to_step, "condition": condition} | ({"ends": ends} if ends else {})
        if path not in self._paths:
            self._paths.append(path)

    def take_first(self, step_id: str) -> None:
        """Of the paths of a step, the first that holds is taken; as ``route="first"`` on the step, and ``first(...)``.

        Raises:
            InvalidArgument: the step itself says that all are.
        """
        if any(step["id"] == step_id and step.get("route") == "all" for step in self._steps):
            raise InvalidArgument("route", f"first(...) after step {step_id!r}, which has route='all'", "one of them")
        self._first.add(step_id)

    @property
    def definition(self) -> PipelineDefinition:
        """The model, as a file with the same content gives it.

        Raises:
            PipelineDefinitionError: it is wrong; has every problem.
        """
        return load(self._document({})).definition

    def to_json(self) -> dict[str, Any]:
        """The content of a pipeline file that runs the same code.

        Raises:
            PipelineDefinitionError: it is wrong, or a step's code cannot be imported by its name.
        """
        functions: dict[CodeName, Callable[..., Any]] = {}
        definition = load(self._document(functions)).definition
        steps = [
            (f"$.steps[{index}]", (step["module"], step["step_class"]), self._code[step["id"]])
            for index, step in enumerate(self._steps)
            if "step_class" in step
        ]
        code = [*steps, *(("$.flow.paths", place, function) for place, function in functions.items())]
        expected = "a function or class at the top level of a module"
        unnamed = [
            Problem(where, f"{place[1]!r} of {place[0]!r}, {wrong}", expected)
            for where, place, each in code
            if (wrong := _unnamed(place, each))
        ]
        if unnamed:
            raise PipelineDefinitionError(unnamed)
        return definition.to_json()

    def load(self) -> LoadedPipeline:
        """The definition with its code: the functions and classes themselves, whatever their names give."""
        factories: dict[str, StepFactory] = {step_id: factory_of(code) for step_id, code in self._code.items()}
        functions: dict[CodeName, Callable[..., Any]] = {}
        document = self._document(functions)
        loaded = load(document)
        return load_pipeline(
            loaded.definition,
            StepModules(),
            prepared=factories,
            functions=functions,
            document=document,
            warnings=loaded.warnings,
            strict=True,
        )

    async def run(
        self,
        input_data: Mapping[str, Any] | None = None,
        services: ServiceRegistry | None = None,
        execution_context: ExecutionContext | None = None,
        *,
        new_version: bool = True,
        resume: bool = False,
        recover: bool = False,
    ) -> dict[str, Any]:
        """Run it to its end; as :meth:`ia_modules.pipeline.runner.Pipeline.run`."""
        pipeline = Pipeline(self.load(), services or ServiceRegistry())
        return await pipeline.run(
            input_data, execution_context, new_version=new_version, resume=resume, recover=recover
        )

    async def recover(self, services: ServiceRegistry | None = None) -> Recovered:
        """Go on with what died of it with its process; as :meth:`ia_modules.pipeline.runner.Pipeline.recover`."""
        return await Pipeline(self.load(), services or ServiceRegistry()).recover()

    def _put(self, step: dict[str, Any], code: Callable[..., Any] | None) -> None:
        """Add a step, or put it where the same one stands."""
        for index, known in enumerate(self._steps):
            if known["id"] == step["id"] and _is_same(known, self._code.get(step["id"]), step, code):
                self._steps[index] = step
                return
        self._steps.append(step)

    def _document(self, functions: dict[CodeName, Callable[..., Any]]) -> dict[str, Any]:
        """The content of a file; ``functions`` learns which function of a condition a name stands for."""
        keys = {
            "slug": self.slug,
            "description": self.description,
            "parameters": self.parameters,
            "outputs": self.outputs,
            "merge": self.merge,
            "loop_config": self.loop_config,
            "error_handling": self.error_handling,
        }
        targets = {path["to_step"] for path in self._paths if path["to_step"] != path["from_step"]}
        first = next((step["id"] for step in self._steps if step["id"] not in targets), None)
        start = first or (self._steps[0]["id"] if self._steps else "")
        return {
            "name": self.name,
            **{key: value for key, value in keys.items() if value is not None},
            "steps": [{**step, "route": "first"} if step["id"] in self._first else step for step in self._steps],
            "flow": {
                "start_at": start,
                **({"route": self.route} if self.route else {}),
                "paths": [_written(path, functions) for path in self._paths],
            },
        }


def _written(part: Any, functions: dict[CodeName, Callable[..., Any]]) -> Any:
    """A path or condition with the names of its functions in their places: each has another."""
    if isinstance(part, list):
        return [_written(each, functions) for each in cast(list[Any], part)]
    if not isinstance(part, dict):
        return part
    mapping = cast(dict[str, Any], part)
    code = mapping.get("code")
    if not callable(code):
        return {key: _written(value, functions) for key, value in mapping.items()}
    module, name = _place_of(code)
    names = (name if number == 1 else f"{name}#{number}" for number in count(1))
    own = next(each for each in names if functions.setdefault((module, each), code) is code)
    return {key: mapping[key] for key in mapping if key != "code"} | {"module_path": module, "function_name": own}


def _place_of(code: Callable[..., Any]) -> CodeName:
    """Module and qualified name, as a file names code."""
    own = plain(code)
    module = getattr(own, "__module__", None) or type(own).__module__
    return name_beside(module), getattr(own, "__qualname__", type(own).__qualname__)


def _unnamed(place: CodeName, code: Callable[..., Any]) -> str | None:
    """Why a file cannot name this code so; None: it can."""
    if wrong := misspelled(place[0]) or misspelled(place[1]):
        return wrong
    module = sys.modules.get(getattr(plain(code), "__module__", None) or "") or sys.modules.get(place[0])
    found = reduce(lambda inside, name: getattr(inside, name, None), place[1].split("."), module)
    return None if module is None or plain(found) is plain(code) else "which is not the code that runs here"


def _is_same(
    known: Mapping[str, Any],
    known_code: Callable[..., Any] | None,
    step: Mapping[str, Any],
    code: Callable[..., Any] | None,
) -> bool:
    """Whether a step is written once more: where it stands in a file; by its name, where there is no file."""
    if known_code is None or code is None:
        return known_code is code and (known == step or _is_interactive())
    named = [(each["module"], each["step_class"]) for each in (known, step)]
    if named[0] != named[1]:
        return False
    place = _source_of(code)
    return (known == step and _source_of(known_code) == place) or place is None


def _source_of(code: Callable[..., Any]) -> tuple[str, int] | None:
    """The file and line of a function, or of a class's first method; None in a notebook, where there is no file."""
    own = inspect.unwrap(code)
    methods = vars(own).values() if isinstance(own, type) else [own]
    written = next((each.__code__ for each in methods if inspect.isfunction(each)), None)
    if written is None or not Path(written.co_filename).is_file():
        return None
    return written.co_filename, written.co_firstlineno


def _is_interactive() -> bool:
    """Whether this is a notebook or a prompt: its code lies in no file."""
    return not hasattr(sys.modules["__main__"], "__file__")


__all__ = ["Flow", "Group", "Node", "StepNode", "When", "otherwise", "when"]
