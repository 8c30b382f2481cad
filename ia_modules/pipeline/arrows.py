"""What ``>>`` means between the steps of a flow: paths, conditions on them, branches to choose from, and ends."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, Generic, Literal, ParamSpec, Protocol, Self, TypeAlias, TypeVar, cast, overload

from ia_modules.errors import InvalidArgument
from ia_modules.pipeline.step_modules import StandIn

P = ParamSpec("P")
R = TypeVar("R")
N = TypeVar("N", bound="StepNode | End")


class Paths(Protocol):
    """The flow that paths are written into."""

    name: str

    def connect(
        self, from_step: str, to_step: str, condition: Any = "always", *, ends: Literal["execution"] | None = None
    ) -> None: ...

    def take_first(self, step_id: str) -> None: ...


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

    def __rrshift__(self, sources: Sequence[object]) -> Self:
        """``[a, b] >> finish``."""
        _connect(_steps_among(sources, self.name), self, "always")
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

    def __init__(self, flow: Paths, step_id: str) -> None:
        self.flow, self.id = flow, step_id

    def __repr__(self) -> str:
        return f"<step {self.id!r} of {self.flow.name!r}>"

    def __rrshift__(self, sources: Sequence[object]) -> Self:
        """``[a, b] >> join``."""
        _connect(_steps_among(sources, self.id), self, "always")
        return self

    def ends(self) -> "Sequence[StepNode]":
        return [self]


class Node(StepNode, StandIn, Generic[P, R]):
    """A step with code. Called, it is the function that it was made of."""

    def __init__(self, flow: Paths, step_id: str, code: Callable[P, R]) -> None:
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


def _steps_among(sources: Sequence[object], target: str) -> "list[StepNode]":
    """The steps of a list. It may be typed as one of objects: that is what mypy takes steps of two functions for.

    Raises:
        InvalidArgument: there is something else in it, or it is none.
    """
    expected = f"a step, or several, before {target!r}"
    if not isinstance(cast(Any, sources), Sequence):
        raise InvalidArgument("source of a path", repr(sources), expected)
    steps = [each for each in sources if isinstance(each, StepNode)]
    if len(steps) != len(sources):
        raise InvalidArgument("source of a path", repr(sources), expected)
    return steps


def ends_of(path: "StepNode | Group | End") -> "Sequence[StepNode]":
    """The steps that a path leads to; none where it leads out of the pipeline."""
    return () if isinstance(path, End) else path.ends()


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
