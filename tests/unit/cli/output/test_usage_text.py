"""Tokens and money in words: exact, in their currency, and what has no price."""

import pytest

from ia_modules.cli.output.usage_text import cost_text, tokens_text, unpriced_text, usage_lines
from ia_modules.tracker.usage import UsageByModel, UsageOfModel


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (None, "no price"),
        (0, "0.00 EUR"),
        (1, "0.000001 EUR"),
        (228, "0.000228 EUR"),
        (1_500_000, "1.50 EUR"),
        (12_345_678_900_000, "12,345,678.90 EUR"),
    ],
)
def test_an_amount_is_shown_as_it_is_stored(micros: int | None, text: str) -> None:
    assert cost_text(micros, "EUR") == text


def test_calls_without_a_price_are_counted() -> None:
    assert [unpriced_text(calls) for calls in (None, 0, 1, 1_200)] == [
        "",
        "",
        "1 call has no price",
        "1,200 calls have no price",
    ]
    assert tokens_text(1_200, None) == "1,200 in, 0 out"


def test_each_model_has_a_line() -> None:
    def used(model: str, provider: str | None, calls: int, cost_micros: int | None, unpriced: int) -> UsageOfModel:
        return UsageOfModel(
            model=model,
            provider=provider,
            calls=calls,
            input_tokens=10,
            output_tokens=1,
            cached_tokens=0,
            reasoning_tokens=0,
            cost_micros=cost_micros,
            unpriced_calls=unpriced,
        )

    models = [used("a", "p", 3, 1_000_000, 1), used("b", None, 1, None, 1)]
    assert list(usage_lines(UsageByModel(currency="USD", models=models))) == [
        "a (p): 3 calls, 10 in, 1 out, 1.00 USD, 1 call has no price",
        "b: 1 call, 10 in, 1 out, no price",
    ]
