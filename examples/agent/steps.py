"""An agent: a model asks for tools and gets their results, until it answers, or its budget or its turns are used up.

Each step returns only what it adds: ``merge`` in the file puts the messages one after the other and sums the tokens.
A turn of the model is a step within its step: once it is on record, no retry and no resume asks for it again. What it
says comes to the page word by word, and what it used and cost is on record with it.
Where no model is given, the one beside this file (``model.py``) is started in a thread of this process, once for each
execution; a process that goes on with an execution starts its own.
"""

import http.client
import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import model

from ia_modules import Inner, current
from ia_modules.models import ExecutionId
from ia_modules.pipeline.core import Step

KILOMETRES = {
    frozenset({"Lisbon", "Madrid"}): 503,
    frozenset({"Lisbon", "Paris"}): 1453,
    frozenset({"Madrid", "Paris"}): 1053,
    frozenset({"Berlin", "Paris"}): 878,
    frozenset({"Berlin", "Tallinn"}): 1041,
    frozenset({"Paris", "Tallinn"}): 1863,
}

PRICE_OF_READING, PRICE_OF_WRITING = Decimal("0.000002"), Decimal("0.00001")  # US dollars for a token

_lock = threading.Lock()
_own: dict[ExecutionId, model.ModelServer] = {}
"""The models that this process runs itself. One whose execution fails is left to the end of the process."""


class ModelStep(Step):
    """A step that calls the model at ``config.url``, or the one that comes with the example."""

    def lines(self, method: str, path: str, body: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """What the model answers, line by line as it comes.

        Raises:
            OSError: there is nobody.
            RuntimeError: it did not answer 200.
        """
        parts = urlsplit(self._url())
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            response = connection.getresponse()
            if response.status != 200:
                raise RuntimeError(f"{method} {path} answered {response.status}: {response.read().decode()}")
            yield from map(json.loads, response)
        finally:
            connection.close()

    def _url(self) -> str:
        if url := self.config["url"]:
            return str(url)
        execution_id = self.context.execution_id
        with _lock:
            if execution_id not in _own:
                _own[execution_id] = model.ModelServer(seconds_per_word=0.1).start()
            return _own[execution_id].url


def ask(data: dict[str, Any]) -> dict[str, Any]:
    """The first message."""
    first, *others = data["places"]
    return {"messages": [{"role": "user", "content": f"How far is it from {first} to {', then '.join(others)}?"}]}


class Think(ModelStep):
    """One turn of the model, of at most ``tokens_per_turn``."""

    def run(self, data: dict[str, Any]) -> dict[str, Any]:
        turn = self.context.call(Inner("model", effect="read"), self.turn, data["messages"], data["tokens_per_turn"])
        message, tokens = turn["message"], turn["input_tokens"] + turn["output_tokens"]
        left = data["budget"] - data.get("tokens", 0) - tokens
        self.context.log(f"turn {self.context.iteration}: {tokens} tokens, {left} left")
        return {"messages": [message], "tokens": tokens, "tokens_left": left, "is_answer": not message["calls"]}

    def turn(self, messages: list[dict[str, Any]], max_tokens: int) -> dict[str, Any]:
        """Ask the model; what it says is given on as it comes."""
        turn: dict[str, Any] = {}
        for turn in self.lines("POST", "/chat", {"messages": messages, "max_tokens": max_tokens}):
            if "text" in turn:
                current.context.emit(turn["text"])
        for call in turn["message"]["calls"]:
            current.context.emit(call, channel="tools")
        current.context.usage(
            model="wayfinder-1",
            provider="example",
            input_tokens=turn["input_tokens"],
            output_tokens=turn["output_tokens"],
            cost=turn["input_tokens"] * PRICE_OF_READING + turn["output_tokens"] * PRICE_OF_WRITING,
        )
        return turn


def act(data: dict[str, Any]) -> dict[str, Any]:
    """What the tools say to the calls of the last message."""
    calls = data["messages"][-1]["calls"]
    return {"messages": [{"role": "tool", "call": call, "result": call_tool(call)} for call in calls]}


def call_tool(call: dict[str, Any]) -> int | None:
    """The result of a tool; None: it does not know."""
    match call["tool"]:
        case "distance":
            return KILOMETRES.get(frozenset(call["of"]))
        case "add":
            total: int = sum(call["of"])
            return total
        case _:
            return None


def answered(data: dict[str, Any]) -> dict[str, Any]:
    """The model's answer."""
    return {"answer": data["messages"][-1]["content"], "because": "answered"}


def over_budget(data: dict[str, Any]) -> dict[str, Any]:
    """What is said when another turn could take more than is left."""
    return {"answer": None, "because": f"{data['tokens']} of {data['budget']} tokens are used up"}


def gave_up(data: dict[str, Any]) -> dict[str, Any]:
    """What is said when the model has not answered in five turns."""
    return {"answer": None, "because": "no answer in five turns"}


class Tally(ModelStep):
    """What the model has on its bill; then the model that was started for this may go."""

    def run(self, data: dict[str, Any]) -> dict[str, Any]:
        [bill] = self.lines("GET", "/bill")
        with _lock:
            own = _own.pop(self.context.execution_id, None)
        if own is not None:
            own.stop()
            self.context.log("the model of this execution is stopped")
        return {"turns": bill["turns"], "tokens_billed": bill["tokens"], "messages_seen": len(data["messages"])}
