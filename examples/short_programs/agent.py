"""An agent within a budget: a model asks for a tool until it knows, or too much is spent. A script is the model."""

from typing import Any

from ia_modules import Client, Flow, end, first, otherwise, when

KILOMETRES = {("Lisbon", "Madrid"): 503, ("Madrid", "Paris"): 1053, ("Paris", "Berlin"): 878}
flow = Flow(
    "Short agent",
    parameters={"places": ["Lisbon", "Madrid", "Paris"], "budget": 500},
    merge={"legs": "extend", "tokens": "sum"},
)


@flow.step(max_iterations=20)
def think(places: list[str], legs: list[int] | None = None) -> dict[str, Any]:
    """One turn of the model: a call of the tool for the leg that is missing, or the answer."""
    known = legs or []
    if len(known) + 1 < len(places):
        return {"tokens": 100, "call": places[len(known) : len(known) + 2]}
    return {"tokens": 50, "answer": f"It is {sum(known)} km."}


@flow.step
def act(call: tuple[str, str]) -> dict[str, list[int]]:
    return {"legs": [KILOMETRES[call]]}


@flow.step
def give_up(tokens: int) -> dict[str, str]:
    return {"answer": f"{tokens} tokens are spent."}


spent = when("tokens", ">=", "{parameters.budget}")
flow.paths(think >> first(when("result.answer") >> end, spent >> give_up, otherwise >> act), act >> think)
if __name__ == "__main__":
    with Client("sqlite:///ia_modules.db") as client:
        print(client.run(flow)["output"]["answer"])
