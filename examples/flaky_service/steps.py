"""Order something from a shop whose services fail: each step shows one way to live with that.

Where no service is given, a step starts the one beside it (``server.py``) in a thread of this process, once for each
execution. No step hands an address on: a process that goes on with an execution starts its own.
"""

import threading
from typing import Any

import client
import server

from ia_modules.models import ExecutionId, LogLevel
from ia_modules.pipeline.core import Step

_lock = threading.Lock()
_own: dict[ExecutionId, server.FlakyServer] = {}
"""The services that this process runs itself. One whose execution fails is left to the end of the process."""


class ServiceStep(Step):
    """A step that calls the shop at ``config.url``, or the one that comes with the example."""

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the shop answers; every attempt has the same key. Raises as :func:`client.call`."""
        self.context.log(f"{method} {path}", attempt=self.context.attempt)
        return await client.call(method, f"{self._url()}{path}", key=self.context.idempotency_key, body=body)

    def _url(self) -> str:
        if url := self.config["url"]:
            return str(url).rstrip("/")
        execution_id = self.context.execution_id
        with _lock:
            if execution_id not in _own:
                _own[execution_id] = server.FlakyServer().start()
            return _own[execution_id].url


class Article(ServiceStep):
    """Answers as it should; for an article that the shop does not have, the execution fails: nothing else is said."""

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        return await self.call("GET", f"/articles/{data['sku']}")


class Stock(ServiceStep):
    """Busy at first: tried again, each time after a longer pause, but only where the error says that this may help."""

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        found = await self.call("GET", f"/stock/{data['sku']}")
        self.context.log(f"{found['in_stock']} in stock")
        return found


class Rates(ServiceStep):
    """Never answers: given up after the step's ``timeout_seconds``, and then the rate of yesterday has to do."""

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        rates = await self.call("GET", "/rates")
        return {"eur_per_usd": rates["eur_per_usd"], "is_current": True}

    async def fallback(self, data: dict[str, Any], error: Exception) -> dict[str, Any]:
        """The rate that the pipeline file knows."""
        self.context.log("going on with the last known rate", LogLevel.WARNING, because=str(error))
        return {"eur_per_usd": self.config["last_known_eur_per_usd"], "is_current": False}


class Reviews(ServiceStep):
    """Always broken, and not worth failing for: the flow goes on without."""

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        return await self.call("GET", f"/reviews/{data['sku']}")


class Shipping(ServiceStep):
    """Slow, but within its time."""

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        self.context.progress(0.1, "asking")
        return await self.call("GET", "/shipping")


def without_reviews(data: dict[str, Any]) -> dict[str, Any]:
    """What stands where the stars would."""
    return {"stars": None, "because": data["because"]}


def quote(data: dict[str, Any]) -> dict[str, Any]:
    """The price, from what the services said and what stands in for those that did not."""
    usd = data["quantity"] * data["price_usd"] + data["shipping_usd"]
    return {
        "available": data["in_stock"] >= data["quantity"],
        "price_eur": round(usd * data["eur_per_usd"], 2),
        "rate_is_current": data["rate_is_current"],
        "stars": data["stars"],
        "days": data["days"],
    }


class PlaceOrder(ServiceStep):
    """Order. The first answer gets lost: asked again with the same key, the shop knows that it has the order."""

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        placed = await self.call("POST", "/orders", data)
        self.context.log(f"order {placed['order']} is placed", known_to_the_shop=placed["known"])
        return {"ordered": True, "order": placed["order"]}


def not_ordered(data: dict[str, Any]) -> dict[str, Any]:
    """What is said when there is not enough of it."""
    return {"ordered": False, "order": None}


class Tally(ServiceStep):
    """How often each service was called, from the shop itself; then the shop that was started for this may go."""

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        seen = await self.call("GET", "/calls")
        with _lock:
            own = _own.pop(self.context.execution_id, None)
        if own is not None:
            own.stop()
            self.context.log("the service of this execution is stopped")
        return seen
