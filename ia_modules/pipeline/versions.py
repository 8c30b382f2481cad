"""Stored versions of pipelines, read into definitions."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

from ia_modules.models import Json, PipelineVersionRecord
from ia_modules.pipeline.document.definition import PipelineDefinition
from ia_modules.pipeline.loader import load

_REMEMBERED = 50  # definitions; one of a thousand steps takes some MB


def definition_of(stored: PipelineVersionRecord) -> PipelineDefinition:
    """The definition that a stored version is. A version never changes, so the newest 50 are parsed only once.

    Raises:
        PipelineDefinitionError: it is no definition: programs may register whatever JSON they like.
    """
    return _parsed(_Content(stored.content_hash, stored.definition))


def is_stored_as(stored: PipelineVersionRecord, definition: PipelineDefinition) -> bool:
    """Whether a definition is the one of a stored version; what was code of ``__main__`` then may have a name now."""
    return _is_same(definition_of(stored).to_json(), definition.to_json())


def _is_same(then: Any, now: Any, key: str | None = None) -> bool:
    match then, now:
        case dict(), dict():
            fields, others = cast("dict[str, Any]", then), cast("dict[str, Any]", now)
            return fields.keys() == others.keys() and all(_is_same(fields[key], others[key], key) for key in fields)
        case list(), list():
            items, rest = cast("list[Any]", then), cast("list[Any]", now)
            return len(items) == len(rest) and all(map(_is_same, items, rest))
        case _:
            return then == now or (key in ("module", "module_path") and then == "__main__")


@dataclass(frozen=True, slots=True)
class _Content:
    """A document, compared by its hash."""

    content_hash: str
    document: Json = field(compare=False)


@lru_cache(maxsize=_REMEMBERED)
def _parsed(content: _Content) -> PipelineDefinition:
    return load(cast("dict[str, Any]", content.document), strict=False).definition
