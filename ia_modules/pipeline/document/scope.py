"""The values that placeholders and conditions can read: the input, and results of earlier steps."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, Self, cast

from msgspec import Struct

from ia_modules.pipeline.document.layers import Layers
from ia_modules.pipeline.document.merge import Fold, FoldingRules, contributed, first_fold
from ia_modules.pipeline.document.wording import kind_of

Root = Literal["parameters", "pipeline_input", "steps", "result", "run", "state", "item"]

RUN_FIELDS = ("iteration", "attempt", "execution_id")
"""What can be read of a step run, as ``run.iteration``."""

ITEM_FIELDS = ("index", "key")
"""What can be read of an item of a map, as ``{run.index}``."""

_OF_ITEM = tuple((name,) for name in ITEM_FIELDS)


class Unresolved(Struct, frozen=True):
    """The value of a placeholder that does not resolve; None would be a value.

    Attributes:
        why: a clause without its full stop, such as ``the input has no 'topic'``.
    """

    placeholder: str
    why: str

    def __str__(self) -> str:
        return f"{self.placeholder} does not resolve: {self.why}"


class MergedState(Mapping[str, Any]):
    """Fields of the state: values, and for the keys that are folded, what was contributed so far.

    Never changed once made. Reading a folded list or mapping makes it, and nothing keeps it.
    """

    __slots__ = ("_fields", "_rules")

    def __init__(self, fields: Layers[str, Any], rules: FoldingRules) -> None:
        self._fields, self._rules = fields, rules

    def with_results(self, results: Iterable[Mapping[str, Any]]) -> "MergedState":
        """This state with these results, in causal order."""
        fields: dict[str, Any] = {}
        for result in results:
            if not self._rules:
                fields.update(result)
                continue
            for key, value in result.items():
                fields[key] = self._fold(key, value, fields) if key in self._rules else value
        return MergedState(self._fields.with_top(fields), self._rules)

    def with_result(self, result: Mapping[str, Any]) -> "MergedState":
        """This state with a result, which must not change afterwards."""
        return self.with_results([result]) if self._rules else MergedState(self._fields.with_top(result), self._rules)

    def _fold(self, key: str, contribution: Any, over: Mapping[str, Any]) -> Fold:
        rule, known = self._rules[key], over[key] if key in over else self._fields.get(key)
        return contributed(known if isinstance(known, Fold) else first_fold(rule, known), contribution, rule)

    def to_dict(self) -> dict[str, Any]:
        """A copy of its own."""
        fields = self._fields.to_dict()
        if not self._rules:
            return fields
        fields.update((key, _value_of(fields[key])) for key in self._rules if key in fields)
        return fields

    def __getitem__(self, key: str) -> Any:
        return _value_of(self._fields[key])

    def __contains__(self, key: object) -> bool:
        return key in self._fields

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


def _value_of(known: Any) -> Any:
    return known.value() if isinstance(known, Fold) else known


class RunFacts(Struct, frozen=True):
    """The step run in front of a condition.

    Attributes:
        iteration: of the step, counting from 1.
        attempt: of the iteration, counting from 1; attempts that were lost count.
        is_bare: ``run.iteration`` without braces means it too, unless the state has a ``run``. False where something
            else of the pipeline has that name (``PipelineDefinition.has_own_run``).
    """

    iteration: int
    attempt: int
    execution_id: str
    is_bare: bool = True


class MappedItem(Struct, frozen=True):
    """The item of a map that a step runs for.

    Attributes:
        value: one entry of the list.
        index: its place, counting from 0.
        key: what it is called.
    """

    value: Any
    index: int
    key: str


class Scope(Struct, frozen=True):
    """The values available at one point of one execution. Never changed once made; shares memory with those before it.

    Attributes:
        input: of the execution, with the defaults of its parameters.
        state: the input with the results of the causal ancestors, in causal order: each laid over what was there, or
            folded into it, as ``merge`` says.
        steps: the last result of each step that led here, by step id.
        result: the result of the step that has just run; None before a step. That of an item may be of any kind.
        succeeded: False after a step that failed and continues (``continue_on_error``).
        run: the step run that is made; None where there is none, as for the output of an execution.
        item: what a step of a map runs for; None: it is none, or runs for none.
    """

    input: Mapping[str, Any]
    state: MergedState
    steps: Layers[str, Mapping[str, Any]]
    result: Any = None
    succeeded: bool = True
    run: RunFacts | None = None
    item: MappedItem | None = None

    @classmethod
    def of(
        cls,
        input_data: Mapping[str, Any],
        results: Iterable[tuple[str, Mapping[str, Any]]] = (),
        rules: FoldingRules | None = None,
    ) -> Self:
        """The scope after these results, as (step id, result) in causal order."""
        return cls(input_data, MergedState(Layers(input_data), rules or {}), Layers({})).with_results(results)

    def with_results(self, results: Iterable[tuple[str, Mapping[str, Any]]]) -> Self:
        """This scope with these results, as (step id, result) in causal order."""
        by_step = list(results)
        if len(by_step) == 1:
            state = self.state.with_result(by_step[0][1])
        else:
            state = self.state.with_results([result for _, result in by_step])
        return type(self)(self.input, state, self.steps.with_top(dict(by_step)))

    def of_run(self, run: RunFacts) -> Self:
        """This scope before a step run."""
        return type(self)(self.input, self.state, self.steps, self.result, self.succeeded, run)

    def of_item(self, item: MappedItem, result: Any = None) -> Self:
        """This scope as an item of a map reads it; ``result``: its own, of any kind, once it has one."""
        return type(self)(self.input, self.state, self.steps, result, self.succeeded, self.run, item)

    def after(self, step_id: str, result: Mapping[str, Any], *, succeeded: bool = True) -> Self:
        """The scope of the conditions after a step, with its result."""
        state, steps = self.state.with_result(result), self.steps.with_top({step_id: result})
        return type(self)(self.input, state, steps, result, succeeded, self.run)


class Reference(Struct, frozen=True):
    """A path into the scope. It is never evaluated as an expression.

    Attributes:
        root: ``state`` is a bare path: a field of the state, or ``<step id>.<field>`` when such a step led here. Where
            neither is called ``run``, ``run.iteration`` and its kin are those of the step run.
        step: the step that ``steps`` means; empty for the other roots.
        path: keys and list indexes, as text.
    """

    root: Root
    path: tuple[str, ...] = ()
    step: str = ""

    def __str__(self) -> str:
        match self.root:
            case "steps":
                return ".".join(("steps", self.step, "output", *self.path))
            case "state":
                return ".".join(self.path)
            case root:
                return ".".join((root, *self.path))

    @property
    def may_be_run(self) -> bool:
        """Whether it is a bare path that means the step run, where nothing else is called ``run``."""
        return self.root == "state" and len(self.path) == 2 and self.path[0] == "run" and self.path[1] in RUN_FIELDS

    @property
    def is_of_item(self) -> bool:
        """Whether only a step of a map can read it."""
        return self.root == "item" or (self.root == "run" and self.path[-1] in ITEM_FIELDS)

    def resolve(self, scope: Scope) -> Any:
        """The value that the path leads to, or an :class:`Unresolved`."""
        match self.root:
            case "parameters" | "pipeline_input":
                return self._follow(scope.input, "the input", self.path)
            case "result":
                is_missing = scope.result is None and scope.item is None
                return self._follow({} if is_missing else scope.result, "the result", self.path)
            case "item":
                return self._of_item(scope)
            case "run":
                return self._of_run(scope)
            case "steps":
                if self.step not in scope.steps:
                    if scope.item is not None and self.step == "item":
                        return self._of_item(scope)
                    if scope.item is not None and self.step == "run" and self.path[:1] in _OF_ITEM:
                        return self._of_run(scope)
                    return Unresolved(str(self), f"step {self.step!r} is not among the steps that led here")
                return self._output_of(self.step, self.path, scope)
            case "state" if len(self.path) > 1 and self.path[0] in scope.steps:
                return self._output_of(self.path[0], self.path[1:], scope)
            case "state" if self.may_be_run and scope.run and scope.run.is_bare and "run" not in scope.state:
                return self._of_run(scope)
            case "state":
                return self._follow(scope.state, "the state", self.path)

    def _of_run(self, scope: Scope) -> Any:
        if self.path[-1] in ITEM_FIELDS:
            no_item = Unresolved(str(self), "there is no item of a map here")
            return no_item if scope.item is None else getattr(scope.item, self.path[-1])
        no_run = Unresolved(str(self), "there is no step run here")
        return no_run if scope.run is None else getattr(scope.run, self.path[-1])

    def _of_item(self, scope: Scope) -> Any:
        if scope.item is None:
            return Unresolved(str(self), "there is no item of a map here")
        return self._follow(scope.item.value, "the item", self.path)

    def _output_of(self, step: str, path: Sequence[str], scope: Scope) -> Any:
        return self._follow(scope.steps[step], f"the output of step {step!r}", path)

    def _follow(self, value: Any, place: str, path: Sequence[str]) -> Any:
        for depth, key in enumerate(path):
            if isinstance(value, Mapping) and key in value:
                value = cast(Mapping[str, Any], value)[key]
            elif isinstance(value, list | tuple) and _is_index(key) and int(key) < len(cast(Sequence[Any], value)):
                value = cast(Sequence[Any], value)[int(key)]
            else:
                inner = "" if isinstance(value, Mapping) else f" ({key!r} of {kind_of(value)})"
                return Unresolved(str(self), f"{place} has no {'.'.join(path[: depth + 1])!r}{inner}")
        return value


def _is_index(key: str) -> bool:
    return key.isdecimal() and len(key) < 10
