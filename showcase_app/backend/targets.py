"""What the numbers of the metrics page should be: the targets, and how they are given in words."""

from dataclasses import dataclass, fields, replace
from math import isfinite
from typing import Self

from ia_modules.errors import InvalidArgument

VARIABLE = "IA_MODULES_TARGETS"
"""The environment variable with targets, such as ``success_rate=0.99,plan_churn=1``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """The success rate should be at least its target, every other number at most."""

    success_rate: float = 0.95
    compensation_rate: float = 0.10
    plan_churn: float = 2.0
    human_intervention_rate: float = 0.05

    def __post_init__(self) -> None:
        for name in _NAMES:
            most = None if name == "plan_churn" else 1.0  # the others are fractions
            value = getattr(self, name)
            if not isfinite(value) or value < 0 or (most is not None and value > most):
                expected = "a number of 0 or more" if most is None else "a fraction from 0 to 1"
                raise InvalidArgument(f"{name} of {VARIABLE}", f"{value:g}", expected)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The targets that a text names, as ``name=number`` with commas between; the others keep their defaults.

        Raises:
            InvalidArgument: a name that is none, named twice, or with something that is no such number.
        """
        values: dict[str, float] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, _, number = (word.strip() for word in part.partition("="))
            if name not in _NAMES or name in values:
                expected = f"each of {', '.join(_NAMES)} once at most, such as success_rate=0.99"
                raise InvalidArgument(VARIABLE, repr(part)[:80], expected)
            try:
                values[name] = float(number)
            except ValueError:
                raise InvalidArgument(f"{name} of {VARIABLE}", repr(number)[:80], "a number") from None
        return replace(cls(), **values)


_NAMES = tuple(field.name for field in fields(Targets))
