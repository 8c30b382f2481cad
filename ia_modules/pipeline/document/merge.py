"""``merge``: what the state has for a key that several results have.

By the rules ``append``, ``extend``, ``sum`` and ``update``, each result that has the key is a contribution, and the
state has the fold of the input's own value and all contributions. A fold takes memory for what was added to it, and
shares the rest with the fold before it.
"""

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, TypeGuard, get_args

from ia_modules.errors import Problem
from ia_modules.payload import INT_MAX, INT_MIN
from ia_modules.pipeline.document.json_schema import path_text
from ia_modules.pipeline.document.layers import Layers
from ia_modules.pipeline.document.wording import kind_of

FoldingRule = Literal["append", "extend", "sum", "update"]
MergeRule = Literal[FoldingRule, "error", "last"]

EVERY_OTHER = "*"
"""The key that stands for all keys without a rule of their own."""

FoldingRules = Mapping[str, FoldingRule]
"""The rules of the keys whose values are folded."""


def is_folding(rule: MergeRule) -> TypeGuard[FoldingRule]:
    return rule in get_args(FoldingRule)


class Fold(ABC):
    """The value of a key, together with all that was contributed to it. Never changed once made."""

    __slots__ = ()

    @abstractmethod
    def value(self) -> Any:
        """The value as the state shows it: a JSON value, made anew."""


def rules_text(rules: Mapping[str, MergeRule]) -> str:
    """The rules in words, the one for all other keys last; empty where each result is laid over what was there."""
    others = [f"every other key {rule}" for key, rule in rules.items() if key == EVERY_OTHER]
    return ", ".join([*(f"{key} {rule}" for key, rule in rules.items() if key != EVERY_OTHER), *others])


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Items(Fold):
    """A list, by what was added to which list."""

    added: Sequence[Any]
    before: "_Items | None" = None

    def value(self) -> list[Any]:
        parts: list[Sequence[Any]] = []
        here: _Items | None = self
        while here is not None:  # not recursive: a chat may be longer than Python's stack
            parts.append(here.added)
            here = here.before
        return [item for part in reversed(parts) for item in part]


@dataclass(frozen=True, slots=True)
class _Sum(Fold):
    """A sum without rounding errors; a fraction as soon as one of its numbers was none of the whole numbers' type."""

    total: int | Fraction

    def value(self) -> int | float:
        if isinstance(self.total, int) and INT_MIN <= self.total <= INT_MAX:
            return self.total
        try:
            return float(self.total)
        except OverflowError:
            return sys.float_info.max if self.total > 0 else -sys.float_info.max


@dataclass(frozen=True, slots=True, eq=False)
class _Fields(Fold):
    """A mapping, by the mappings that were laid over each other."""

    layers: Layers[str, Any]

    def value(self) -> dict[str, Any]:
        return self.layers.to_dict()


_NOTHING: Mapping[FoldingRule, Any] = {"append": [], "extend": [], "sum": 0, "update": {}}
"""What a key has before there is a value for it."""


def first_fold(rule: FoldingRule, known: Any = None) -> Fold:
    """The fold of a key that nothing was contributed to; ``known`` None: the input has no value for it."""
    value = _NOTHING[rule] if known is None else known
    match rule:
        case "append" | "extend":
            return _Items(value)
        case "sum":
            return _Sum(_exact(value))
        case "update":
            return _Fields(Layers(value))


def contributed(fold: Fold, contribution: Any, rule: FoldingRule) -> Fold:
    """The fold with one contribution more, which fits the rule (:func:`contribution_problems`)."""
    match fold:
        case _Items():
            return _Items([contribution] if rule == "append" else contribution, fold)
        case _Sum():
            return _Sum(fold.total + _exact(contribution))
        case _Fields():
            return _Fields(fold.layers.with_top(contribution))
        case _:
            raise TypeError(f"no fold by {rule}: {fold!r}")


def contribution_problems(rules: FoldingRules, result: Mapping[str, Any]) -> list[Problem]:
    """Why the result of a step cannot be merged into the state."""
    return [
        Problem(f"result{path_text([key])}", kind_of(value), f"{expected}: merge.{key} is {rules[key]}")
        for key, value, expected in _misfits(rules, result, _CONTRIBUTIONS)
    ]


def state_problems(rules: FoldingRules, values: Mapping[str, Any], root: str) -> list[Problem]:
    """Why nothing could be contributed to these values of the state."""
    return [
        Problem(f"{root}{path_text([key])}", kind_of(value), f"{expected}: merge.{key} is {rules[key]}")
        for key, value, expected in _misfits(rules, values, _VALUES)
    ]


_KINDS: Mapping[str, tuple[type, ...]] = {"a list": (list, tuple), "a number": (int, float), "a mapping": (dict,)}
_VALUES: Mapping[FoldingRule, str] = {"append": "a list", "extend": "a list", "sum": "a number", "update": "a mapping"}
_CONTRIBUTIONS: Mapping[FoldingRule, str] = {rule: kind for rule, kind in _VALUES.items() if rule != "append"}
"""Any value can be appended."""


def _misfits(
    rules: FoldingRules, values: Mapping[str, Any], kinds: Mapping[FoldingRule, str]
) -> Iterator[tuple[str, Any, str]]:
    """Each (key, value, expected kind) that does not fit the rule of the key."""
    for key, rule in rules.items():
        if key not in values or rule not in kinds:
            continue
        value, kind = values[key], kinds[rule]
        if not isinstance(value, _KINDS[kind]) or isinstance(value, bool):
            yield key, value, kind


def _exact(number: float) -> int | Fraction:
    return int(number) if isinstance(number, int) else Fraction(number)
