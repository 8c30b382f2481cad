"""What calls of models used, in words for a terminal: tokens, money in its currency, and what has no price."""

from collections.abc import Iterator

from ia_modules.tracker.usage import UsageByModel
from ia_modules.usage import MICROS


def cost_text(micros: int | None, currency: str | None = None) -> str:
    """An exact amount, such as ``0.0123 USD``; ``no price`` where none is known.

    >>> cost_text(1_500_000, "USD"), cost_text(228), cost_text(None)
    ('1.50 USD', '0.000228', 'no price')
    """
    if micros is None:
        return "no price"
    whole, rest = divmod(micros, MICROS)
    digits = f"{rest:06}".rstrip("0").ljust(2, "0")
    return f"{whole:,}.{digits}" + (f" {currency}" if currency else "")


def tokens_text(input_tokens: int | None, output_tokens: int | None) -> str:
    """How many went in and came out, such as ``1,200 in, 80 out``."""
    return f"{input_tokens or 0:,} in, {output_tokens or 0:,} out"


def unpriced_text(calls: int | None) -> str:
    """Of calls without a price; empty: all have one."""
    if not calls:
        return ""
    return "1 call has no price" if calls == 1 else f"{calls:,} calls have no price"


def usage_lines(usage: UsageByModel) -> Iterator[str]:
    """A line for each model, the dearest first."""
    for each in usage.models:
        name = each.model if each.provider is None else f"{each.model} ({each.provider})"
        calls = "1 call" if each.calls == 1 else f"{each.calls:,} calls"
        cost = cost_text(each.cost_micros, usage.currency)
        missing = unpriced_text(each.unpriced_calls) if each.cost_micros is not None else ""
        parts = (calls, tokens_text(each.input_tokens, each.output_tokens), cost, missing)
        yield f"{name}: {', '.join(part for part in parts if part)}"
