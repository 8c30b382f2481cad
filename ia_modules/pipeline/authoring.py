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

import asyncio
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from html import escape
from itertools import count
from pathlib import Path
from typing import Any, Literal, NamedTuple, ParamSpec, TypeVar, cast, overload

from ia_modules.errors import InvalidArgument, PayloadError, PipelineDefinitionError, Problem, refuse_on_loop
from ia_modules.models import JsonText
from ia_modules.payload import encode
from ia_modules.pipeline.arrows import End, Group, Node, StepNode, When, end, ends_of, finish, first, otherwise, when
from ia_modules.pipeline.beside import name_beside
from ia_modules.pipeline.code import (
    CodeName,
    LoadedPipeline,
    StepFactory,
    factory_of,
    function_of,
    load_pipeline,
    unnamed,
)
from ia_modules.pipeline.contracts import names_of, parameters_of, schemas_of
from ia_modules.pipeline.core import ExecutionContext
from ia_modules.pipeline.document.definition import PipelineDefinition, RouteRule
from ia_modules.pipeline.document.merge import MergeRule
from ia_modules.pipeline.drawing.picture import svg
from ia_modules.pipeline.inputs import InputData
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.loader import load
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.recovery import Recovered
from ia_modules.pipeline.runner import TRACKER_SERVICE, Pipeline, Runner, StartedExecution
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.pipeline.step_modules import StepModules, plain
from ia_modules.pipeline.streamed_run import StreamedRun

_MAP_KEYS = ("key", "max_concurrency", "on_item_failure", "collect")

P = ParamSpec("P")
R = TypeVar("R")


@dataclass
class Flow:
    """A pipeline that is being written.

    Attributes:
        parameters: as in a pipeline file; or a pydantic model or a dataclass, whose fields they are.
        outputs, merge, searchable, loop_config, error_handling: as in a pipeline file.
        route: how many paths of a step are taken: ``all`` that hold, or the ``first``; None: all.
    """

    name: str
    slug: str | None = None
    description: str | None = None
    parameters: Any = None
    outputs: Mapping[str, Any] | None = None
    merge: Mapping[str, MergeRule] | None = None
    searchable: Sequence[str] | None = None
    loop_config: Mapping[str, Any] | None = None
    error_handling: Mapping[str, Any] | None = None
    route: RouteRule | None = None
    _steps: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]], init=False)
    _paths: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]], init=False)
    _code: dict[str, Callable[..., Any]] = field(default_factory=dict[str, Callable[..., Any]], init=False)
    _first: set[str] = field(default_factory=set[str], init=False)
    _schemas: dict[str, "_Schemas"] = field(
        default_factory=dict[str, "_Schemas"], init=False, repr=False, compare=False
    )
    _loaded: tuple["_LoadedFrom", LoadedPipeline] | None = field(default=None, init=False, repr=False, compare=False)

    @overload
    def step(self, code: Callable[P, R], /) -> Node[P, R]: ...
    @overload
    def step(self, /, **keys: Any) -> Callable[[Callable[P, R]], Node[P, R]]: ...
    def step(self, code: Callable[..., Any] | None = None, /, **keys: Any) -> Any:
        """Make a function, or a class derived from ``Step``, a step of this flow; its id is its name, as it stands.

        Args:
            keys: ``id``, ``name``, ``inputs``, ``config``, ``timeout_seconds``, ``max_iterations``, … as in a file;
                ``retry``, ``continue_on_error`` and ``enable_fallback`` are short for ``error_handling``; beside a
                ``map`` that is a placeholder, so are ``key``, ``max_concurrency``, ``on_item_failure`` and ``collect``
                for keys of it.
        """
        return partial(self.add, **keys) if code is None else self.add(code, **keys)

    def add(self, code: Callable[P, R], /, **keys: Any) -> Node[P, R]:
        """As :meth:`step`, without a decorator: for the same class twice, with other ids and configs."""
        handling = dict(keys.pop("error_handling", {}))
        handling |= {key: keys.pop(key) for key in ("retry", "continue_on_error", "enable_fallback") if key in keys}
        mapped = _taken_map(keys)
        step_id = keys.pop("id", None) or getattr(code, "__name__", type(code).__name__)
        module, name = _place_of(code)
        written = {"id": step_id, "step_class": name, "module": module, **mapped, **keys}
        self._put(written | ({"error_handling": handling} if handling else {}), code)
        self._code[step_id] = code
        return Node(self, step_id, code)

    def map(self, code: Callable[P, R], /, *, over: str, key: str | None = None, **keys: Any) -> Node[P, R]:
        """As :meth:`add`, for a step with a map: ``flow.map(work, over="list.items", key="id")``.

        Args:
            over: a step and a field of its result, which has the list; a text with braces is taken as it is.
            key: a field of an item, which is what it is called; a text with braces is taken as it is.
            keys: as for :meth:`step`, ``max_concurrency``, ``on_item_failure`` and ``collect`` of the map among them.

        Raises:
            InvalidArgument: ``over`` or ``key`` is none of these.
        """
        named = {} if key is None else {"key": _key_of(key)}
        return self.add(code, map=_list_of(over), **named, **keys)

    def ask(self, step_id: str, **config: Any) -> StepNode:
        """A step that asks people.

        Args:
            config: ``prompt``, ``ui_schema``, ``timeout_seconds``, ``on_timeout``, ``assigned_users``,
                ``assigned_role``, ``answers``, ``decided_by``, ``carries``, as in a file; with a ``map`` and its keys,
                as on :meth:`step`, it asks about each item of a list.
        """
        mapped = _taken_map(config)
        self._put({"id": step_id, "type": "human_input", "config": config, **mapped}, None)
        return StepNode(self, step_id)

    def connect(
        self, from_step: str, to_step: str, condition: Any = "always", *, ends: Literal["execution"] | None = None
    ) -> None:
        """A path, by the ids of its steps; ``to_step`` may be ``end``. The same path twice is one."""
        path = {"from_step": from_step, "to_step": to_step, "condition": condition} | ({"ends": ends} if ends else {})
        if path not in self._paths:
            self._paths.append(path)

    def paths(self, *paths: StepNode | Group | End) -> None:
        """The paths that ``>>`` has made, as in ``flow.paths(a >> b, b >> when("result.n", ">", 3) >> c)``.

        A line of its own does the same; this gives type checkers no expression whose value is not used.

        Raises:
            InvalidArgument: one of them leads nowhere, begins nowhere, or is of another flow.
        """
        expected = f"paths between steps of {self.name!r}, such as a >> b, or a >> when(...) >> b"
        for each in paths:
            if not isinstance(cast(Any, each), StepNode | Group | End):
                raise InvalidArgument("paths", repr(each), expected)
            for node in ends_of(each):
                if node.flow is not self:
                    raise InvalidArgument("paths", repr(node), expected)

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
        problems = [
            Problem(where, f"{place[1]!r} of {place[0]!r}, {wrong}", expected)
            for where, place, each in code
            if (wrong := unnamed(place, each))
        ]
        if problems:
            raise PipelineDefinitionError(problems)
        return definition.to_json()

    def _repr_html_(self) -> str:
        """What a notebook shows of it: its graph; or what is wrong with it as it stands."""
        try:
            return svg(self.definition)
        except PipelineDefinitionError as wrong:
            return f"<pre>{escape(str(wrong))}</pre>"

    def load(self) -> LoadedPipeline:
        """The definition with its code: the functions and classes themselves, whatever their names give.

        The same as last time where nothing of the flow has changed since.
        """
        functions: dict[CodeName, Callable[..., Any]] = {}
        document = self._document(functions)
        written = _LoadedFrom.of(document, [*self._code.items(), *functions.items()])
        if self._loaded is not None and self._loaded[0] == written:
            return self._loaded[1]
        factories: dict[str, StepFactory] = {step_id: factory_of(code) for step_id, code in self._code.items()}
        read = load(document)
        loaded = load_pipeline(
            read.definition,
            StepModules(),
            prepared=factories,
            functions=functions,
            document=document,
            warnings=read.warnings,
            strict=True,
        )
        self._loaded = None if written is None else (written, loaded)  # which holds the code: no other gets its ids
        return loaded

    async def run(
        self,
        input_data: InputData | None = None,
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

    def run_sync(
        self,
        input_data: InputData | None = None,
        services: ServiceRegistry | None = None,
        execution_context: ExecutionContext | None = None,
        *,
        new_version: bool = True,
        resume: bool = False,
        recover: bool = False,
    ) -> dict[str, Any]:
        """As :meth:`run`, for code without an event loop.

        With a tracker among the services it runs on the loop on which that is at work.

        Raises:
            BlockingCallOnLoop: an event loop runs here, as in a notebook; names ``await flow.run()``.
        """
        refuse_on_loop("flow.run_sync", "flow.run")
        running = self.run(
            input_data, services, execution_context, new_version=new_version, resume=resume, recover=recover
        )
        journal = None if services is None else services.get(TRACKER_SERVICE)
        call = getattr(journal, "call", asyncio.run)
        return call(running)

    def stream(
        self,
        input_data: InputData | None = None,
        services: ServiceRegistry | None = None,
        execution_context: ExecutionContext | None = None,
        *,
        new_version: bool = True,
        resume: bool = False,
    ) -> StreamedRun:
        """As :meth:`run`, with what its steps emit as it comes: ``async for piece in flow.stream(input)``.

        Nothing has begun yet: iterate it, or await its ``result()``. What the context's ``execution_id`` stands for
        already is not waited for: beginning raises AlreadyStarted then.
        """
        own = services or ServiceRegistry()
        journal: OperatorJournal = own.get(TRACKER_SERVICE) or MemoryJournal()

        async def begin() -> StartedExecution:
            runner = Runner(journal, services=own)
            return await runner.start(
                self.load(), input_data, execution_context, new_version=new_version, resume=resume
            )

        return StreamedRun(begin, journal)

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
        parameters = parameters_of(self.parameters)
        names = names_of(parameters) or ()
        keys = {
            "slug": self.slug,
            "description": self.description,
            "parameters": parameters,
            "outputs": self.outputs,
            "merge": self.merge,
            "searchable": None if self.searchable is None else [*self.searchable],
            "loop_config": self.loop_config,
            "error_handling": self.error_handling,
        }
        targets = {path["to_step"] for path in self._paths if path["to_step"] != path["from_step"]}
        first = next((step["id"] for step in self._steps if step["id"] not in targets), None)
        start = first or (self._steps[0]["id"] if self._steps else "")
        return {
            "name": self.name,
            **{key: value for key, value in keys.items() if value is not None},
            "steps": [self._written_step(step, names) for step in self._steps],
            "flow": {
                "start_at": start,
                **({"route": self.route} if self.route else {}),
                "paths": [_written(path, functions) for path in self._paths],
            },
        }

    def _written_step(self, step: dict[str, Any], parameters: tuple[str, ...]) -> dict[str, Any]:
        """A step with the route that ``first`` gives it, and the schemas that the annotations of its function give."""
        made = self._schemas_of(step, parameters) if step["id"] in self._code else None
        if not made and step["id"] not in self._first:
            return step
        return {**(made or {}), **step, **({"route": "first"} if step["id"] in self._first else {})}

    def _schemas_of(self, step: Mapping[str, Any], parameters: tuple[str, ...]) -> Mapping[str, Any]:
        """Made once: making them takes longer than most steps, and a flow is written out for every run."""
        code, inputs = self._code[step["id"]], step.get("inputs")
        known = self._schemas.get(step["id"])
        if known is None or known.code is not code or known.inputs is not inputs or known.parameters != parameters:
            function = function_of(code)
            schemas: Mapping[str, Any] = {}
            if function is not None:
                schemas = schemas_of(function, names_of(inputs), parameters, is_mapped="map" in step)
            known = self._schemas[step["id"]] = _Schemas(code, inputs, parameters, schemas)
        return known.schemas


class _Schemas(NamedTuple):
    """The schemas of a step's function, and what they were made of."""

    code: Callable[..., Any]
    inputs: Any
    parameters: tuple[str, ...]
    schemas: Mapping[str, Any]


class _LoadedFrom(NamedTuple):
    """What a flow was loaded from: as text, which does not change with what it was made of; and its code, by name."""

    document: JsonText
    code: tuple[tuple[str | CodeName, int], ...]

    @classmethod
    def of(
        cls, document: Mapping[str, Any], code: Iterable[tuple[str | CodeName, Callable[..., Any]]]
    ) -> "_LoadedFrom | None":
        """None: it cannot be told, since the document is no JSON."""
        try:
            text = encode(document, "flow")
        except PayloadError:
            return None
        return cls(text, tuple((name, id(each)) for name, each in code))


def _list_of(over: Any) -> str:
    """The placeholder of a list: ``list.items`` is what the result of the step ``list`` has as ``items``."""
    text = over if isinstance(over, str) else ""
    if "{" in text:
        return text
    step_id, _, path = text.partition(".")
    if not step_id or not path:
        expected = "a step and a field of its result, as in 'list.items', or a placeholder, as in '{parameters.items}'"
        raise InvalidArgument("over", repr(over), expected)
    return f"{{steps.{step_id}.output.{path}}}"


def _key_of(key: Any) -> str:
    """The placeholder of what an item is called: ``id`` is its field of that name."""
    if not isinstance(key, str) or not key:
        raise InvalidArgument("key", repr(key), "a field of an item, as in 'id', or a placeholder, as in '{item}'")
    return key if "{" in key else f"{{item.{key}}}"


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


def _taken_map(keys: dict[str, Any]) -> dict[str, Any]:
    """The ``map`` of a step, taken out of its keys with those that are short for keys of it; nothing without one."""
    if "map" not in keys:
        return {}
    mapped, options = keys.pop("map"), {key: keys.pop(key) for key in _MAP_KEYS if key in keys}
    if not options:
        return {"map": mapped}
    return {"map": {**({"over": mapped} if isinstance(mapped, str) else mapped), **options}}


def _place_of(code: Callable[..., Any]) -> CodeName:
    """Module and qualified name, as a file names code."""
    own = plain(code)
    module = getattr(own, "__module__", None) or type(own).__module__
    return name_beside(module), getattr(own, "__qualname__", type(own).__qualname__)


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


__all__ = ["Flow", "Group", "Node", "StepNode", "When", "end", "finish", "first", "otherwise", "when"]
