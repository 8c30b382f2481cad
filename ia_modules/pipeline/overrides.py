"""Step runs of which something is decided before they begin: their tokens, input, result, or which items run.

They stand with the execution, so that whoever runs it, and however often, takes them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import orjson

from ia_modules.models import Json, JsonText
from ia_modules.payload import encode
from ia_modules.pipeline.tokens import StepRunKey

ItemsAgain = Literal["failed"]
"""Which items of a step with a map run in a re-run: those that have not completed in the execution before."""


@dataclass(frozen=True, slots=True)
class Override:
    """One step run.

    Attributes:
        parents: it begins first of all, with the tokens of these; None: when it may.
        closes_loop: of one with parents: a path that leads back has brought it there.
        input_data: what it gets; None: what it would get.
        output_data: its result, and nothing of it runs; None: it runs.
        items: which of its items run, while the others are copied; None: all of them.
        actor: who said so; None: nobody edited it.
    """

    key: StepRunKey
    parents: tuple[StepRunKey, ...] | None = None
    closes_loop: bool = False
    input_data: JsonText | None = None
    output_data: JsonText | None = None
    items: ItemsAgain | None = None
    actor: str | None = None

    @property
    def edited(self) -> str | None:
        """``input`` or ``output``; None: neither is another one."""
        if self.output_data is not None:
            return "output"
        return None if self.input_data is None else "input"


def overrides_json(overrides: Iterable[Override]) -> JsonText:
    """As an execution keeps them."""
    return JsonText(orjson.dumps([_row(each) for each in overrides]).decode())


def overrides_of(stored: Json) -> dict[StepRunKey, Override]:
    """Those that an execution keeps, by the step runs that they are for; ``None``: there are none."""
    rows = cast("list[Mapping[str, Any]]", stored or [])
    return {override.key: override for override in map(_override_of, rows)}


def _row(override: Override) -> dict[str, Any]:
    row: dict[str, Any] = {"step_id": override.key.step_id, "iteration": override.key.iteration}
    if override.parents is not None:
        row |= {"parents": [list(parent) for parent in override.parents], "closes_loop": override.closes_loop}
    if override.items is not None:
        row["items"] = override.items
    if override.edited is not None:
        text = override.output_data or override.input_data or "null"
        row |= {override.edited: orjson.Fragment(text.encode()), "actor": override.actor}
    return row


def _override_of(row: Mapping[str, Any]) -> Override:
    key = StepRunKey(row["step_id"], row["iteration"])
    parents = row.get("parents")
    edits = {name: encode(row[name], f"{name} of step {key.step_id!r}") for name in ("input", "output") if name in row}
    return Override(
        key,
        None if parents is None else tuple(StepRunKey(*parent) for parent in parents),
        closes_loop=row.get("closes_loop", False),
        input_data=edits.get("input"),
        output_data=edits.get("output"),
        items=row.get("items"),
        actor=row.get("actor"),
    )
