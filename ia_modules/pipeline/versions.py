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


@dataclass(frozen=True, slots=True)
class _Content:
    """A document, compared by its hash."""

    content_hash: str
    document: Json = field(compare=False)


@lru_cache(maxsize=_REMEMBERED)
def _parsed(content: _Content) -> PipelineDefinition:
    return load(cast("dict[str, Any]", content.document), strict=False).definition
