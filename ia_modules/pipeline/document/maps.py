"""A step that runs once for each entry of a list: where the list comes from, and what becomes of failures."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from ia_modules.errors import InvalidValue
from ia_modules.pipeline.document.base import Document
from ia_modules.pipeline.document.fields import SourceTemplate
from ia_modules.pipeline.document.scope import Reference
from ia_modules.pipeline.document.templates import Template, Where, parse
from ia_modules.pipeline.document.wording import shown

MOST_ITEMS = 100_000
"""Entries of a list that one step runs for."""

_PER_CENT = re.compile(r"(\d{1,3}(?:\.\d+)?)\s*%")


def _collect(value: Any) -> Template:
    return value if isinstance(value, Template) else parse(value, "collect")


def _to_json(template: Template) -> Any:
    return template.json


CollectTemplate = Annotated[Template, PlainValidator(_collect), PlainSerializer(_to_json), WithJsonSchema({})]
"""Any JSON, with placeholders for an item and its result in braces; ``false`` collects nothing."""


def _allowed(value: int | str) -> int | str:
    if isinstance(value, str) and ((match := _PER_CENT.fullmatch(value)) is None or float(match[1]) > 100):
        raise InvalidValue(shown(value), "a number of items, or a part of them such as '5%'")
    return value


class AtMost(Document):
    """So many items may fail, as a number or as a part of all (``5%``); one more ends the map."""

    at_most: Annotated[Annotated[int, Field(ge=0)] | str, AfterValidator(_allowed)]


def _over(raw: Any) -> Any:
    return {"over": raw} if isinstance(raw, str) else raw


class MapDefinition(Document):
    """What a step runs for.

    Attributes:
        over: gives the list.
        key: gives each item a name of its own; None: its number, from 1.
        max_concurrency: items that run at a time.
        on_item_failure: ``fail``: the first item that fails for good ends the map; ``continue``: all are tried.
        collect: what each item contributes to the result; ``false``: nothing, the records have it.
    """

    over: SourceTemplate
    key: SourceTemplate | None = None
    max_concurrency: Annotated[int, Field(ge=1)] = 10
    on_item_failure: Literal["fail", "continue"] | AtMost = "fail"
    collect: CollectTemplate = Field(default_factory=lambda: parse("{result}", "collect"))

    @model_validator(mode="after")
    def _list_is_one(self) -> Self:
        if self.over.is_literal and not isinstance(self.over.json, list):
            raise InvalidValue(f"over: {shown(self.over.json)}", "a placeholder that gives a list, or a list")
        return self

    @property
    def collects(self) -> bool:
        return self.collect.json is not False

    def allowed_failures(self, count: int) -> int | None:
        """How many of so many items may fail; None: all may."""
        match self.on_item_failure:
            case "fail":
                return 0
            case "continue":
                return None
            case AtMost(at_most=int(most)):
                return most
            case AtMost(at_most=part):
                return int(float(str(part).rstrip("% ")) * count / 100)

    def references(self) -> Iterator[tuple[Where, Reference]]:
        """What its placeholders read, with their places in it."""
        templates = {"over": self.over, "key": self.key, "collect": self.collect}
        for name, template in templates.items():
            if template is not None:
                yield from (((name, *at), reference) for at, reference in template.references())


Mapped = Annotated[MapDefinition, BeforeValidator(_over)]
"""A map, or in short the placeholder of its list."""
