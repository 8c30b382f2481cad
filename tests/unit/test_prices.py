"""What calls cost by a list of prices: known models, unknown ones, lists of one's own, and that nothing is fetched."""

import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest

from ia_modules import current
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.runner import Runner
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.prices import computed_micros, listed_prices
from ia_modules.usage import UsageCall
from tests.unit.pipeline.factories import document
from tests.unit.pipeline.programs import pipeline_of

FETCHES_NOTHING = """
import sys
import threading

seen = []
sys.addaudithook(lambda event, _: seen.append(event) if event.startswith("socket.") else None)
from ia_modules.prices import listed_prices
from ia_modules.usage import UsageCall

assert "genai_prices" not in sys.modules, "it is read when it is needed"
prices = listed_prices()
assert prices is not None
assert prices.cost(UsageCall(model="gpt-4o-mini", provider="openai", input_tokens=1_000_000)) is not None
assert prices.cost(UsageCall(model="nobody-has-this", provider="openai", input_tokens=1)) is None
assert threading.active_count() == 1, threading.enumerate()
assert not seen, seen
"""


def test_the_list_is_the_packages_own_and_nothing_is_fetched() -> None:
    subprocess.run([sys.executable, "-c", FETCHES_NOTHING], check=True, timeout=120)


@pytest.mark.parametrize(
    "keys", [{"provider": "openai"}, {"provider": None}, {"provider": "openai", "cached_tokens": 500}]
)
def test_a_known_model_costs_what_its_tokens_cost(keys: dict[str, Any]) -> None:
    micros = computed_micros(
        listed_prices(), UsageCall(model="gpt-4o-mini", input_tokens=1_000, output_tokens=100, **keys)
    )
    assert micros is not None
    assert 0 < micros < 1_000


@pytest.mark.parametrize(
    "call",
    [
        UsageCall(model="nobody-has-this", input_tokens=1),
        UsageCall(model="nobody-has-this", provider="openai", input_tokens=1),
        UsageCall(model="gpt-4o-mini", provider="a gateway of ours", input_tokens=1),
        UsageCall(model="gpt-4o-mini", provider="openai", input_tokens=1, cached_tokens=2),
    ],
)
def test_what_the_list_does_not_know_has_no_price(call: UsageCall) -> None:
    assert computed_micros(listed_prices(), call) is None


def test_prices_in_another_currency_are_not_those_of_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    call = UsageCall(model="gpt-4o-mini", provider="openai", input_tokens=1_000)
    assert computed_micros(listed_prices(), call) is not None
    monkeypatch.setenv("IA_MODULES_CURRENCY", "EUR")
    assert computed_micros(listed_prices(), call) is None


class OwnPrices:
    """A list of one's own."""

    currency = "USD"

    def cost(self, call: UsageCall) -> Decimal | None:
        return Decimal(call.input_tokens) / 1_000 if call.model == "own" else None


@pytest.mark.parametrize(
    ("services", "expected"),
    [
        ({}, [("own", None, "unknown"), ("gpt-4o-mini", 150, "computed"), ("told", 5, "reported")]),
        (
            {"prices": OwnPrices()},
            [("own", 1_000_000, "computed"), ("gpt-4o-mini", None, "unknown"), ("told", 5, "reported")],
        ),
    ],
)
async def test_a_step_has_the_costs_of_its_services_else_those_of_the_list(
    services: dict[str, Any], expected: list[tuple[str, int | None, str]]
) -> None:
    async def ask() -> None:
        current.context.usage(model="own", input_tokens=1_000)
        current.context.usage(model="gpt-4o-mini", provider="openai", input_tokens=1_000)
        current.context.usage(model="told", cost=Decimal("0.000005"))

    async def think(data: dict[str, Any]) -> dict[str, Any]:
        await current.context.step("ask", ask)
        return {}

    journal = MemoryJournal()
    run = await Runner(journal, services=ServiceRegistry(services)).start(
        pipeline_of(document("think"), {"think": think})
    )
    await run.to_end()
    [call] = await journal.get_execution_steps(run.execution_id, within="think#1")  # pyright: ignore[reportArgumentType]
    assert isinstance(call.usage, list)
    entries = [each for each in call.usage if isinstance(each, dict)]
    assert [(each["gen_ai.request.model"], each["cost.micros"], each["cost.source"]) for each in entries] == expected
    assert call.unpriced_calls == 1
