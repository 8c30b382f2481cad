"""When a path is taken: conditions, parsed into objects once and never evaluated as code.

Every condition says whether it holds *and why*; the reason is recorded with the step's completion. The function that a
``function`` condition names is called by the runner, which passes the answers in: evaluation has no effects.
"""

import json
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias, cast

from pydantic import BeforeValidator, Field, model_validator

from ia_modules.errors import InvalidValue
from ia_modules.pipeline.document.base import Document, Some
from ia_modules.pipeline.document.fields import PathText, SourceTemplate
from ia_modules.pipeline.document.operators import (
    IN_WORDS,
    Operator,
    check_pattern,
    compare,
    json_equal,
    operator_named,
)
from ia_modules.pipeline.document.scope import Reference, Scope, Unresolved
from ia_modules.pipeline.document.templates import Where, read_path
from ia_modules.pipeline.document.wording import did_you_mean, shown


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a condition holds, and the reason, a clause without its full stop."""

    holds: bool
    why: str


Call: TypeAlias = Callable[["FunctionCall"], Verdict]
"""Returns the answer of a function, which it may call for that."""


class _Condition(Document):
    description: str | None = None


class Always(_Condition):
    type: Literal["always"]


class Else(_Condition):
    """Holds when no sibling did: decided where all paths of a step are (:func:`ia_modules.pipeline.routing.route`)."""

    type: Literal["else"]


class Success(_Condition):
    """Holds unless the step failed and let the flow go on."""

    type: Literal["success"]


class StepConditions(_Condition):
    """Holds when all ``conditions`` of the step in front of the path do, a step of type ``condition``."""

    type: Literal["condition"]


class Expression(_Condition):
    """One value of the scope against another.

    Attributes:
        source: ``result.<field>``, ``<step id>.<field>``, ``<field>`` of the state, or a placeholder.
    """

    also_spelled: ClassVar = {"field": "source"}

    type: Literal["expression"]
    source: PathText
    operator: Operator
    value: SourceTemplate

    @property
    def path(self) -> Reference:
        return read_path(self.source)

    @model_validator(mode="after")
    def _pattern_is_known(self) -> Self:
        if self.operator == "regex" and self.value.is_literal:
            check_pattern(self.value.json)
        return self


class ParameterIsTrue(_Condition):
    """Holds when the input has the parameter and it is not false, 0, null or empty."""

    also_spelled: ClassVar = {"name": "parameter"}

    type: Literal["parameter"]
    parameter: Annotated[str, Field(min_length=1)]


class FunctionCall(_Condition):
    """Holds when ``function_name`` of ``module_path``, called as ``(context, parameters)``, returns something true."""

    type: Literal["function"]
    module_path: Annotated[str, Field(min_length=1)]
    function_name: Annotated[str, Field(min_length=1)]
    parameters: dict[str, Any] = Field(default_factory=dict)
    timeout_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 30.0

    def __str__(self) -> str:
        return f"{self.module_path}.{self.function_name}"

    @property
    def _key(self) -> tuple[str, str, str, float]:
        parameters = json.dumps(
            self.parameters, sort_keys=True
        )  # Python takes 1, 1.0 and True for equal, JSON does not
        return self.module_path, self.function_name, parameters, self.timeout_seconds

    def __eq__(self, other: object) -> bool:
        """Answers are stored by the call: equal calls share one."""
        return isinstance(other, FunctionCall) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


class AllOf(_Condition):
    type: Literal["all"]
    conditions: Some["Condition"]


class AnyOf(_Condition):
    type: Literal["any"]
    conditions: Some["Condition"]


class Not(_Condition):
    type: Literal["not"]
    condition: "Condition"


_AnyCondition: TypeAlias = (
    Always | Else | Success | StepConditions | Expression | ParameterIsTrue | FunctionCall | AllOf | AnyOf | Not
)

_COMPARISON_TYPES = {
    "expression": None,
    "threshold_condition": None,
    "field_equals": "equals",
    "field_exists": "exists",
    "field_greater_than": "greater_than",
    "field_less_than": "less_than",
}
_TYPES = (
    "always",
    "default",
    "else",
    "success",
    "condition",
    *_COMPARISON_TYPES,
    "parameter",
    "function",
    "all",
    "any",
    "not",
)


def _spelled_out(raw: Any) -> Any:
    """The canonical form of a condition: one mapping of its type and its keys, without ``config``."""
    if isinstance(raw, _Condition):
        return raw
    if isinstance(raw, str):
        kind, _, name = raw.partition(":")
        raw = {"type": kind, "parameter": name} if name else {"type": raw}
    if not isinstance(raw, dict):
        raise InvalidValue(shown(raw), "a condition: a mapping with a type, or the word always")
    flat = _flat(cast(dict[str, Any], raw))
    kind = flat.get("type")
    if not isinstance(kind, str) or kind not in _TYPES:
        found = "no type" if kind is None else f"the condition type {shown(kind)}"
        raise InvalidValue(found, f"one of the condition types {', '.join(_TYPES)}", did_you_mean(kind, _TYPES))
    if kind in _COMPARISON_TYPES:
        return _comparison(flat, kind)
    if kind == "not" and "conditions" in flat:
        flat["condition"] = _only(flat.pop("conditions"))
    return {**flat, "type": "else" if kind == "default" else kind}


def _flat(raw: dict[str, Any]) -> dict[str, Any]:
    """The mapping with the keys of ``config`` moved out of it."""
    config = raw.get("config")
    if config is None:
        return {key: value for key, value in raw.items() if key != "config"}
    if not isinstance(config, dict):
        raise InvalidValue(shown(config), "a mapping under config", inside=("config",))
    inner = cast(dict[str, Any], config)
    if twice := [key for key in inner if key in raw and raw[key] != inner[key]]:
        raise InvalidValue(f"{twice[0]!r} both in the condition and under its config, with two values", "it only once")
    return {**inner, **{key: value for key, value in raw.items() if key != "config"}}


def _comparison(flat: dict[str, Any], kind: str) -> dict[str, Any]:
    implied = _COMPARISON_TYPES[kind]
    if "operator" not in flat and implied is None:
        raise InvalidValue("no operator", f"the operator of a condition of type {kind}")
    operator = operator_named(flat.get("operator", implied))
    if implied not in (None, operator):
        raise InvalidValue(f"the operator {operator} in a condition of type {kind}", f"the operator {implied}, or none")
    written = {"value": True, **flat} if operator == "exists" else flat
    return {**written, "type": "expression", "operator": operator}


def _only(conditions: Any) -> Any:
    if not isinstance(conditions, list) or len(cast(list[Any], conditions)) != 1:
        raise InvalidValue(f"not with {shown(conditions)}", "not with exactly one condition")
    return cast(list[Any], conditions)[0]


def _field_check(raw: Any) -> Any:
    """An entry of a step's ``conditions`` needs no type: it compares a field."""
    if isinstance(raw, dict) and cast(dict[str, Any], raw).get("type") in (None, "value"):
        return {**cast(dict[str, Any], raw), "type": "threshold_condition"}
    return cast(Any, raw)


Condition: TypeAlias = Annotated[_AnyCondition, Field(discriminator="type"), BeforeValidator(_spelled_out)]
"""Any condition, in any of its spellings."""

StepCondition: TypeAlias = Annotated[Condition, BeforeValidator(_field_check)]

for _model in (AllOf, AnyOf, Not):
    _model.model_rebuild()


def evaluate(condition: _AnyCondition, scope: Scope, call: Call) -> Verdict:
    """Whether the condition holds in this scope, and why.

    Raises:
        ValueError: an ``else`` or a ``condition``, which only the paths of a step as a whole decide.
    """
    match condition:
        case Always():
            return Verdict(True, "always")
        case Success():
            return Verdict(scope.succeeded, "the step succeeded" if scope.succeeded else "the step failed")
        case Expression():
            return _compared(condition, scope)
        case ParameterIsTrue(parameter=name):
            return _parameter_is_true(name, scope)
        case FunctionCall():
            return call(condition)
        case AllOf(conditions=conditions):
            return _decisive(conditions, scope, call, stops_at=False)
        case AnyOf(conditions=conditions):
            return _decisive(conditions, scope, call, stops_at=True)
        case Not(condition=inner):
            verdict = evaluate(inner, scope, call)
            return Verdict(not verdict.holds, f"not: {verdict.why}")
        case Else() | StepConditions():
            raise ValueError(f"a condition of type {condition.type} is decided by the paths of a step together")


def parts(condition: _AnyCondition, at: Where = ()) -> Iterator[tuple[Where, _AnyCondition]]:
    """The condition and all that it is made of, each with its place inside."""
    yield at, condition
    match condition:
        case AllOf(conditions=conditions) | AnyOf(conditions=conditions):
            for index, each in enumerate(conditions):
                yield from parts(each, (*at, "conditions", index))
        case Not(condition=inner):
            yield from parts(inner, (*at, "condition"))
        case _:
            return


def exclusive(one: _AnyCondition, other: _AnyCondition) -> bool:
    """Whether the two can be seen never to hold at once; False where only the values of a run tell."""
    match one, other:
        case (Not(condition=inner), against) | (against, Not(condition=inner)) if _is_same(inner, against):
            return True
        case (AllOf(conditions=conditions), against) | (against, AllOf(conditions=conditions)):
            return any(exclusive(each, against) for each in conditions)
        case (AnyOf(conditions=conditions), against) | (against, AnyOf(conditions=conditions)):
            return all(exclusive(each, against) for each in conditions)
        case Expression(), Expression() if one.path == other.path:
            return _disjoint(one, other)
        case _:
            return False


def _is_same(one: _AnyCondition, other: _AnyCondition) -> bool:
    if one != other:  # but 1 and true are equal in Python
        return False
    return json_equal(one.model_dump(mode="json"), other.model_dump(mode="json"))


_OPPOSITES: Container[frozenset[Operator]] = [
    frozenset(("equals", "not_equals")),
    frozenset(("in", "not_in")),
    frozenset(("greater_than", "less_than")),
    frozenset(("greater_than", "less_than_or_equals")),
    frozenset(("less_than", "greater_than_or_equals")),
]


def _disjoint(one: Expression, other: Expression) -> bool:
    """Whether no value satisfies two comparisons of one path."""
    if frozenset((one.operator, other.operator)) in _OPPOSITES and json_equal(one.value.json, other.value.json):
        return True
    if not (one.value.is_literal and other.value.is_literal):
        return False
    for fixed, against in ((one, other), (other, one)):
        if values := _only_values_of(fixed):
            return not any(compare(against.operator, each, against.value.json) for each in values)
    low, high = sorted((one, other), key=lambda each: each.operator.startswith("less"))
    if not (low.operator.startswith("greater") and high.operator.startswith("less")):
        return False
    overlap: Operator = "less_than_or_equals" if "equals" in low.operator and "equals" in high.operator else "less_than"
    return compare(overlap, low.value.json, high.value.json) is False


def _only_values_of(condition: Expression) -> list[Any]:
    """The values that a comparison with a literal holds for; none where there are many."""
    missing, value = Unresolved(condition.source, "it is missing"), condition.value.json
    match condition.operator:
        case "equals":
            return [value] if value is not None else [value, missing]
        case "exists" if value is False:
            return [missing]
        case _:
            return []


def function_calls(condition: _AnyCondition) -> Iterator[FunctionCall]:
    """The functions that the condition may call."""
    return (part for _, part in parts(condition) if isinstance(part, FunctionCall))


def references(condition: _AnyCondition) -> Iterator[tuple[Where, Reference]]:
    """Every path that the condition reads, with its place inside the condition."""
    for at, part in parts(condition):
        if isinstance(part, Expression):
            yield (*at, "source"), part.path
            yield from (((*at, "value", *where), reference) for where, reference in part.value.references())
        elif isinstance(part, ParameterIsTrue):
            yield (*at, "parameter"), Reference("parameters", (part.parameter,))


def _compared(condition: Expression, scope: Scope) -> Verdict:
    actual, expected = condition.path.resolve(scope), condition.value.resolve(scope)
    if isinstance(expected, Unresolved):
        return Verdict(False, f"there is nothing to compare {condition.path} with: {expected}")
    holds = compare(condition.operator, actual, expected)
    found = (
        f"{condition.path} is {_missing(condition.path, actual) if isinstance(actual, Unresolved) else shown(actual)}"
    )
    if condition.operator == "exists":
        return Verdict(holds is True, found)
    if holds is None:
        return Verdict(False, f"{found}, which cannot be compared with {shown(expected)}")
    words = IN_WORDS[condition.operator][0 if holds else 1]
    return Verdict(holds, f"{found}{', which' if words[0].isalpha() else ''} {words} {shown(expected)}")


def _missing(path: Reference, value: Unresolved) -> str:
    is_bare = path.root in ("state", "result")
    return f"missing: there is no such field ({value.why})" if is_bare else f"missing ({value.why})"


def _parameter_is_true(name: str, scope: Scope) -> Verdict:
    value = Reference("parameters", (name,)).resolve(scope)
    if isinstance(value, Unresolved):
        return Verdict(False, f"the input has no parameter {name}")
    return Verdict(bool(value), f"parameter {name} is {shown(value)}")


def _decisive(conditions: tuple[_AnyCondition, ...], scope: Scope, call: Call, *, stops_at: bool) -> Verdict:
    """The first verdict that decides, or all of them together."""
    reasons: list[str] = []
    for condition in conditions:
        verdict = evaluate(condition, scope, call)
        if verdict.holds is stops_at:
            return verdict
        reasons.append(verdict.why)
    return Verdict(not stops_at, "; ".join(reasons))
