"""Field types that more than one model of a pipeline file uses."""

from typing import Annotated, Any

from pydantic import AfterValidator, PlainSerializer, PlainValidator, WithJsonSchema

from ia_modules.errors import InvalidValue
from ia_modules.pipeline.document.templates import Template, parse, read_path
from ia_modules.pipeline.document.wording import shown


def _source(value: Any) -> Template:
    return value if isinstance(value, Template) else parse(value, "source")


def _config(value: Any) -> Template:
    if isinstance(value, Template):
        return value
    if not isinstance(value, dict):
        raise InvalidValue(shown(value), "a mapping")
    return parse(value, "config")


def _path_text(value: str) -> str:
    """A path in its one spelling."""
    reference = read_path(value)
    return str(reference) if reference.root in ("state", "result") else f"{{{reference}}}"


def _to_json(template: Template) -> Any:
    return template.json


SourceTemplate = Annotated[Template, PlainValidator(_source), PlainSerializer(_to_json), WithJsonSchema({})]
"""Any JSON, with placeholders in braces."""

ConfigTemplate = Annotated[
    Template, PlainValidator(_config), PlainSerializer(_to_json), WithJsonSchema({"type": "object"})
]
"""A mapping, with placeholders in double braces."""

PathText = Annotated[str, AfterValidator(_path_text)]
"""What a condition reads."""
