"""``/docs``: the API's documentation for people.

It is plain HTML made here, so that it works without the internet; FastAPI's own documentation would load its scripts
from another site.
"""

import json
import re
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from showcase_app.backend.api import live
from showcase_app.backend.api.addresses import rooted

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_Schema = dict[str, Any]

_STYLE = """
:root { color-scheme: light dark; --line: light-dark(#d8dde5, #343b46); --soft: light-dark(#f4f6f9, #1b2027); }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 60rem; margin: 2.5rem auto; padding: 0 1rem; }
code, pre { font: 0.9em/1.5 ui-monospace, monospace; }
pre { background: var(--soft); padding: 1rem; overflow-x: auto; border-radius: 6px; }
section { border: 1px solid var(--line); border-radius: 6px; padding: 0 1rem 0.5rem; margin: 1rem 0; }
h3 { font: 600 1rem ui-monospace, monospace; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.8rem 0.3rem 0; border-top: 1px solid var(--line); }
th { font-weight: 600; white-space: nowrap; }
.method { color: light-dark(#0a6b3d, #5fd39a); }
"""


@router.get("/docs")
async def docs(request: Request) -> str:
    document: _Schema = request.app.openapi()
    openapi = rooted(request, "/openapi.json")
    operations = [
        _operation(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    schemas = [_schema(name, schema) for name, schema in document["components"]["schemas"].items()]
    return _page(
        "ia_modules: the API",
        f'<p>For programs: <a href="{openapi}">{openapi}</a>. Errors are RFC 9457 problem details.</p>'
        f"<h2>Routes</h2>{''.join(operations)}"
        f"<h2>Sockets</h2><section><h3>WS /ws/executions/{{execution_id}}?after=N, WS /ws/executions</h3>"
        f"<pre>{_prose(live.__doc__ or '')}</pre></section>"
        f"<h2>Bodies and answers</h2>{''.join(schemas)}",
    )


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>{body}</body></html>"
    )


def _operation(method: str, path: str, operation: _Schema) -> str:
    parameters = [
        (parameter["name"], _type(parameter["schema"]), parameter.get("description", ""))
        for parameter in operation.get("parameters", ())
    ]
    taken = operation.get("requestBody", {}).get("content", {})
    body = [("body", _type(content["schema"]), f"as {kind}") for kind, content in taken.items()]
    answers = [(status, _answer(answer), answer["description"]) for status, answer in operation["responses"].items()]
    return (
        f'<section><h3><span class="method">{method.upper()}</span> {escape(path)}</h3>'
        f"<p>{_prose(operation.get('description') or operation['summary'])}</p>"
        f"{_table([*parameters, *body, *answers])}</section>"
    )


def _answer(answer: _Schema) -> str:
    return " ".join(map(_content, answer.get("content", {}).values()))


def _content(content: _Schema) -> str:
    """What an answer is; a stream of events has a schema for each of them instead of one for all."""
    return _type(content["schema"]) if "schema" in content else f"each event {_type(content['itemSchema'])}"


def _schema(name: str, schema: _Schema) -> str:
    fields = [(field, _type(of), of.get("description", "")) for field, of in schema.get("properties", {}).items()]
    values = ", ".join(schema.get("enum", ()))
    about = "".join(f"<p>{_prose(text)}</p>" for text in (schema.get("description"), values) if text)
    examples = "".join(f"<pre>{escape(json.dumps(each, indent=2))}</pre>" for each in schema.get("examples", ()))
    return f'<section id="{name}"><h3>{name}</h3>{about}{_table(fields)}{examples}</section>'


def _table(rows: list[tuple[str, str, str]]) -> str:
    """Name, type (HTML already) and description."""
    cells = "".join(
        f"<tr><th>{escape(name)}</th><td>{kind}</td><td>{_prose(text)}</td></tr>" for name, kind, text in rows
    )
    return f"<table>{cells}</table>"


def _prose(text: str) -> str:
    """Text with what it marks as code or as important."""
    return re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", re.sub(r"``?(.+?)``?", r"<code>\1</code>", escape(text)))


def _type(schema: _Schema) -> str:
    """A type in a few words, with links to the answers it is made of."""
    if reference := schema.get("$ref"):
        name = reference.rpartition("/")[2]
        return f'<a href="#{name}">{name}</a>'
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(_type(choice) for choice in choices)
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if words := schema.get("enum"):
        return " or ".join(f"<code>{escape(repr(word))}</code>" for word in words)
    if "const" in schema:
        return f"<code>{escape(repr(schema['const']))}</code>"
    default = f", default {schema['default']}" if schema.get("default") is not None else ""
    return escape(f"{schema.get('format') or schema.get('type', 'any JSON')}{default}")
