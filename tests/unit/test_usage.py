"""Whole numbers of what calls used: how they are added, and when they are more than before."""

from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia_modules.errors import InvalidArgument
from ia_modules.usage import MOST_MODELS, OTHERS, Spent, UsageCall, UsageTally, installation_currency, micros_of

few = st.integers(0, 4)
sums = st.builds(Spent, input_tokens=few, output_tokens=few, cost_micros=st.none() | few, unpriced_calls=few)


@pytest.mark.parametrize(
    ("cost", "micros"),
    [("0", 0), ("0.0000005", 0), ("0.0000015", 2), ("0.0000025", 2), ("1.5", 1_500_000), (2, 2_000_000)],
)
def test_a_cost_is_in_millionths_the_nearest_even_one(cost: str | int, micros: int) -> None:
    assert micros_of(Decimal(cost)) == micros


@given(sums, sums)
def test_what_is_more_leads_from_before_to_now_and_what_is_less_is_none(before: Spent, more: Spent) -> None:
    now = before.plus(more)
    rise = now.since(before)
    assert rise is not None
    assert before.plus(rise) == now
    has_risen = max(rise.input_tokens, rise.output_tokens, rise.cost_micros or 0, rise.unpriced_calls) > 0
    assert (before.since(now) is None) == has_risen


@given(st.lists(st.tuples(st.integers(0, 2), few, st.none() | few), max_size=20))
def test_a_tally_is_the_sum_of_its_calls_by_model(calls: list[tuple[int, int, int | None]]) -> None:
    tally = UsageTally()
    for model, tokens, cost in calls:
        source = "unknown" if cost is None else "reported"
        tally.add(UsageCall(model=f"m{model}", input_tokens=tokens, cost_micros=cost, source=source))
    usage = tally.usage
    entries: list[dict[str, Any]] = orjson.loads(usage.by_model)
    for model in range(3):
        own = [entry for entry in entries if entry["gen_ai.request.model"] == f"m{model}"]
        assert sum(entry["calls"] for entry in own) == sum(each == model for each, _, _ in calls)
        assert all((entry["cost.micros"] is None) == (entry["cost.source"] == "unknown") for entry in own)
    assert usage.spent.input_tokens == sum(entry["gen_ai.usage.input_tokens"] for entry in entries)
    costs = [entry["cost.micros"] for entry in entries if entry["cost.micros"] is not None]
    assert usage.spent.cost_micros == (sum(costs) if costs else None)
    assert usage.spent.unpriced_calls == sum(cost is None for _, _, cost in calls)


def test_models_beyond_the_hundredth_are_counted_together() -> None:
    tally = UsageTally()
    for number in range(MOST_MODELS + 5):
        tally.add(UsageCall(model=f"m{number}", provider="p", input_tokens=1))
    entries = orjson.loads(tally.usage.by_model)
    assert len(entries) == MOST_MODELS + 1
    assert (entries[-1]["gen_ai.request.model"], entries[-1]["calls"]) == (OTHERS, 5)
    assert tally.usage.spent.input_tokens == MOST_MODELS + 5


def test_a_sum_that_no_page_could_show_exactly_is_refused() -> None:
    tally = UsageTally()
    most = UsageCall(model="m", cost_micros=2**53 - 1, source="reported")
    tally.add(most)
    with pytest.raises(InvalidArgument, match="at most"):
        tally.add(most)
    assert tally.usage.spent.cost_micros == 2**53 - 1


def test_the_currency_is_the_one_that_the_environment_says() -> None:
    assert (installation_currency({}), installation_currency({"IA_MODULES_CURRENCY": "EUR"})) == ("USD", "EUR")
