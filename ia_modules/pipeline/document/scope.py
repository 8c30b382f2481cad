"""The values that placeholders and conditions can read: the input, and results of earlier steps."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self, cast

from ia_modules.pipeline.document.layers import Layers
from ia_modules.pipeline.document.wording import kind_of

Root = Literal["parameters", "pipeline_input", "steps", "result", "run", "state"]

RUN_FIELDS = ("iteration", "attempt", "execution_id")
"""What can be read of a step run, as ``run.iteration``."""


@dataclass(frozen=True, slots=True)
class Unresolved:
    """The value of a placeholder that does not resolve; None would be a value.

    Attributes:
        why: a clause without its full stop, such as ``the input has no 'topic'``.
    """

    placeholder: str
    why: str

    def __str__(self) -> str:
        return f"{self.placeholder} does not resolve: {self.why}"


@dataclass(frozen=True, slots=True)
class RunFacts:
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


@dataclass(frozen=True, slots=True)
class Scope:
    """The values available at one point of one execution. Never changed once made; shares memory with those before it.

    Attributes:
        input: of the execution, with the defaults of its parameters.
        state: the input, updated with the results of the causal ancestors, in causal order.
        steps: the last result of each step that led here, by step id.
        result: the result of the step that has just run; None before a step.
        succeeded: False after a step that failed and continues (``continue_on_error``).
        run: the step run that is made; None where there is none, as for the output of an execution.
    """

    input: Mapping[str, Any]
    state: Layers[str, Any]
    steps: Layers[str, Mapping[str, Any]]
    result: Mapping[str, Any] | None = None
    succeeded: bool = True
    run: RunFacts | None = None

    @classmethod
    def of(cls, input_data: Mapping[str, Any], results: Iterable[tuple[str, Mapping[str, Any]]] = ()) -> Self:
        """The scope after these results, as (step id, result) in causal order."""
        return cls(input_data, Layers(input_data), Layers({})).with_results(results)

    def with_results(self, results: Iterable[tuple[str, Mapping[str, Any]]]) -> Self:
        """This scope with these results laid over it, as (step id, result) in causal order."""
        state: dict[str, Any] = {}
        steps: dict[str, Mapping[str, Any]] = {}
        for step_id, result in results:
            state.update(result)
            steps[step_id] = result
        return type(self)(self.input, self.state.with_top(state), self.steps.with_top(steps))

    def after(self, step_id: str, result: Mapping[str, Any], *, succeeded: bool = True) -> Self:
        """The scope of the conditions after a step, with its result."""
        return replace(self.with_results([(step_id, result)]), result=result, succeeded=succeeded, run=self.run)


@dataclass(frozen=True, slots=True)
class Reference:
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

    def resolve(self, scope: Scope) -> Any:
        """The value that the path leads to, or an :class:`Unresolved`."""
        match self.root:
            case "parameters" | "pipeline_input":
                return self._follow(scope.input, "the input", self.path)
            case "result":
                return self._follow(scope.result or {}, "the result", self.path)
            case "run":
                return self._of_run(scope)
            case "steps":
                if self.step not in scope.steps:
                    return Unresolved(str(self), f"step {self.step!r} is not among the steps that led here")
                return self._output_of(self.step, self.path, scope)
            case "state" if len(self.path) > 1 and self.path[0] in scope.steps:
                return self._output_of(self.path[0], self.path[1:], scope)
            case "state" if self.may_be_run and scope.run and scope.run.is_bare and "run" not in scope.state:
                return self._of_run(scope)
            case "state":
                return self._follow(scope.state, "the state", self.path)

    def _of_run(self, scope: Scope) -> Any:
        no_run = Unresolved(str(self), "there is no step run here")
        return no_run if scope.run is None else getattr(scope.run, self.path[-1])

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
