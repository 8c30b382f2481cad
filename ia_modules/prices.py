"""What a call of a model costs by a list of prices: the service ``prices``, or the list of the extra of that name.

The extra ``prices`` is genai-prices. Only the list that its package comes with is used: nothing is fetched, and what
updates that list is never started.
"""

from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from importlib.util import find_spec
from typing import Protocol

from ia_modules.usage import UsageCall, installation_currency, micros_of

SERVICE = "prices"
"""The name of the service."""


class Prices(Protocol):
    """A list of prices: offer one of your own as the service ``prices``."""

    @property
    def currency(self) -> str:
        """Of its costs; in an installation of another one they are not used."""
        ...

    def cost(self, call: UsageCall) -> Decimal | None:
        """What a call costs; None: its model has no price here. It is asked while a step tells, in any thread."""
        ...


class ListedPrices:
    """The list of genai-prices, as its package came."""

    currency = "USD"

    def __init__(self) -> None:
        """Read the list, which takes about a second.

        Raises:
            ImportError: genai-prices is not installed.
        """
        from genai_prices.data import providers
        from genai_prices.data_snapshot import DataSnapshot

        self._snapshot = DataSnapshot(providers=providers, from_auto_update=False)

    def cost(self, call: UsageCall) -> Decimal | None:
        """What a call costs now; None: the list does not know its model, its provider, or such numbers of tokens."""
        from genai_prices.types import Usage

        known = {"input_tokens": call.input_tokens, "output_tokens": call.output_tokens}
        if call.cached_tokens:
            known["cache_read_tokens"] = call.cached_tokens
        try:
            found = self._snapshot.calc(Usage(**known), call.model, call.provider, None, datetime.now(UTC))
        except (LookupError, ValueError):
            return None
        return found.total_price


@cache
def listed_prices() -> ListedPrices | None:
    """The list of the extra ``prices``; None: it is not installed."""
    return ListedPrices() if find_spec("genai_prices") is not None else None


def computed_micros(prices: Prices | None, call: UsageCall) -> int | None:
    """What a call costs in millionths, by these prices; None: they do not know, or are in another currency.

    Raises:
        InvalidArgument: the cost that they give is none.
    """
    if prices is None or prices.currency != installation_currency():
        return None
    cost = prices.cost(call)
    return None if cost is None else micros_of(cost)
