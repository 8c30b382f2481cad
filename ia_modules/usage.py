"""What calls of models used, as whole numbers: tokens, and money in millionths of the installation's currency. Pure.

    context.usage(…) → UsageCall → UsageTally (one attempt) → Usage (all of it so far) → the row of the attempt

What is written is always all that an attempt has told so far. So the same write twice, or one that comes late, counts
nothing twice: what an execution's sums rise by is the difference to what the row of the attempt had.
"""

import os
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Literal, Self, cast

from msgspec import Struct
from msgspec.structs import replace

from ia_modules.errors import InvalidArgument
from ia_modules.models import JsonText
from ia_modules.payload import clean_text, encode

CostSource = Literal["reported", "computed", "unknown"]
"""Where a cost comes from: who called said it; it is computed from a list of prices; nobody knows it."""

CURRENCY_VARIABLE = "IA_MODULES_CURRENCY"
MICROS = 1_000_000
MOST_TOKENS = 10**9
"""Of one call, of each kind."""
MOST_COST = 10**6
"""Of one call, in the currency."""
MOST_MODELS = 100
"""So many models, providers and sources of cost are told apart within one attempt."""
OTHERS = "(others)"
"""What stands for the models beyond that."""
_MOST = 2**53 - 1
_NAME_CHARACTERS = 200
_MOST_MILLISECONDS = 2**31 - 1


def installation_currency(environ: Mapping[str, str] = os.environ) -> str:
    """The currency of all costs: ``IA_MODULES_CURRENCY``, else USD. There is one for each installation."""
    return environ.get(CURRENCY_VARIABLE) or "USD"


def micros_of(cost: object) -> int:
    """A cost in millionths, the nearest even one where it lies between two.

    Raises:
        InvalidArgument: it is no whole number and no Decimal (a float has no exact one), or not from 0 to 1,000,000.
    """
    expected = f"a Decimal or an int from 0 to {MOST_COST:,}, or None where the cost is not known"
    if isinstance(cost, bool) or not isinstance(cost, Decimal | int):
        hint = "; of a float: Decimal(str(cost))" if isinstance(cost, float) else ""
        raise InvalidArgument("cost", f"{cost!r}"[:80], expected + hint)
    exact = Decimal(cost)
    if not exact.is_finite() or not 0 <= exact <= MOST_COST:
        raise InvalidArgument("cost", f"{cost!r}"[:80], expected)
    return int((exact * MICROS).to_integral_value(ROUND_HALF_EVEN))


class UsageCall(Struct, kw_only=True, frozen=True):
    """What one call of a model used.

    Attributes:
        provider: None: not told.
        cost_micros: None: not known.
        first_token_ms: until the first piece of the answer came; None: not told.
    """

    model: str
    provider: str | None = None
    source: CostSource = "unknown"
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cost_micros: int | None = None
    first_token_ms: int | None = None

    def __post_init__(self) -> None:
        """Check it.

        Raises:
            InvalidArgument: a name is empty or longer than 200 characters, or a number is none from 0 on, or too large.
        """
        for what, name in (("model", self.model), ("provider", self.provider)):
            is_name = isinstance(cast("Any", name), str) and 1 <= len(name or "") <= _NAME_CHARACTERS
            if name is not None and not is_name:
                raise InvalidArgument(what, f"{name!r}"[:80], f"a name of 1 to {_NAME_CHARACTERS} characters")
        for what in ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens"):
            _check_number(what, getattr(self, what), MOST_TOKENS)
        if self.first_token_ms is not None:
            _check_number("first_token_ms", self.first_token_ms, _MOST_MILLISECONDS)


class ModelUsage(Struct, kw_only=True, frozen=True):
    """What the calls of one model used whose costs come from one source.

    Attributes:
        cost_micros: None where ``source`` is ``unknown``.
    """

    model: str
    provider: str | None
    source: CostSource
    calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    cost_micros: int | None

    @classmethod
    def of(cls, call: UsageCall) -> Self:
        """That of one call."""
        return cls(
            model=clean_text(call.model),
            provider=None if call.provider is None else clean_text(call.provider),
            source=call.source,
            calls=1,
            input_tokens=call.input_tokens,
            output_tokens=call.output_tokens,
            cached_tokens=call.cached_tokens,
            reasoning_tokens=call.reasoning_tokens,
            cost_micros=call.cost_micros,
        )

    @property
    def key(self) -> tuple[str, str | None, CostSource]:
        return self.model, self.provider, self.source

    def and_also(self, other: "ModelUsage") -> "ModelUsage":
        """Both together, under this one's names."""
        return ModelUsage(
            model=self.model,
            provider=self.provider,
            source=self.source,
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            cost_micros=sum_of(self.cost_micros, other.cost_micros),
        )

    def to_dict(self, currency: str) -> dict[str, Any]:
        """As it is stored, by the names that OpenTelemetry has for calls of models, where it has some."""
        return {
            "gen_ai.request.model": self.model,
            "gen_ai.provider.name": self.provider,
            "calls": self.calls,
            "gen_ai.usage.input_tokens": self.input_tokens,
            "gen_ai.usage.output_tokens": self.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": self.cached_tokens,
            "gen_ai.usage.reasoning.output_tokens": self.reasoning_tokens,
            "cost.micros": self.cost_micros,
            "cost.currency": currency,
            "cost.source": self.source,
        }


class Spent(Struct, kw_only=True, frozen=True):
    """Sums, of an attempt or an execution, or by what they rise.

    Attributes:
        cost_micros: of the calls whose cost is known; None: of none is it.
        unpriced_calls: calls whose cost is not known.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cost_micros: int | None = None
    unpriced_calls: int = 0

    def since(self, before: "Spent") -> "Spent | None":
        """By how much it is more than before; None: it is older than that, since sums of one attempt only rise."""
        cost = self.cost_micros if before.cost_micros is None else (self.cost_micros or 0) - before.cost_micros
        more = Spent(
            input_tokens=self.input_tokens - before.input_tokens,
            output_tokens=self.output_tokens - before.output_tokens,
            cost_micros=cost,
            unpriced_calls=self.unpriced_calls - before.unpriced_calls,
        )
        least = min(more.input_tokens, more.output_tokens, more.cost_micros or 0, more.unpriced_calls)
        return more if least >= 0 else None

    def plus(self, more: "Spent") -> "Spent":
        return Spent(
            input_tokens=self.input_tokens + more.input_tokens,
            output_tokens=self.output_tokens + more.output_tokens,
            cost_micros=sum_of(self.cost_micros, more.cost_micros),
            unpriced_calls=self.unpriced_calls + more.unpriced_calls,
        )


class Usage(Struct, kw_only=True, frozen=True):
    """All that an attempt has told so far.

    Attributes:
        by_model: JSON, as the row has it: a list of :meth:`ModelUsage.to_dict`.
        first_token_ms: of the first call that told one; None: none did.
    """

    spent: Spent
    by_model: JsonText
    first_token_ms: int | None = None


class UsageTally:
    """What one attempt tells, call after call."""

    def __init__(self) -> None:
        """Nothing."""
        self._entries: dict[tuple[str, str | None, CostSource], ModelUsage] = {}
        self._spent = Spent()
        self._first_token_ms: int | None = None

    def add(self, call: UsageCall) -> None:
        """Count a call.

        Raises:
            InvalidArgument: a sum would be more than 2^53 - 1.
        """
        spent = self._spent.plus(
            Spent(
                input_tokens=call.input_tokens,
                output_tokens=call.output_tokens,
                cost_micros=call.cost_micros,
                unpriced_calls=int(call.cost_micros is None),
            )
        )
        if max(spent.input_tokens, spent.output_tokens, spent.cost_micros or 0) > _MOST:
            raise InvalidArgument("usage", "more than can be counted", f"sums of an attempt of at most {_MOST:,}")
        entry = ModelUsage.of(call)
        if entry.key not in self._entries and len(self._entries) >= MOST_MODELS:
            entry = replace(entry, model=OTHERS, provider=None)
        known = self._entries.get(entry.key)
        self._entries[entry.key] = entry if known is None else known.and_also(entry)
        self._spent = spent
        if self._first_token_ms is None:
            self._first_token_ms = call.first_token_ms

    @property
    def usage(self) -> Usage:
        currency = installation_currency()
        entries = [entry.to_dict(currency) for entry in self._entries.values()]
        return Usage(spent=self._spent, by_model=encode(entries, "usage"), first_token_ms=self._first_token_ms)


def sum_of(one: int | None, other: int | None) -> int | None:
    """The sum of what is known; None: neither is."""
    return None if one is None and other is None else (one or 0) + (other or 0)


def _check_number(what: str, number: object, most: int) -> None:
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= most:
        raise InvalidArgument(what, f"{number!r}"[:80], f"a whole number from 0 to {most:,}")
