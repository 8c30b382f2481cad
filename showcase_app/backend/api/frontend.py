"""The web pages: the built files of ``showcase_app/frontend``, and how to build them where they are missing.

The pages have addresses of their own (``/executions/ID``); whatever is no file and no part of the API is answered with
``index.html``, which reads the address. Files under ``/assets`` carry a hash in their name and never change.
"""

from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import FileResponse, HTMLResponse

BUILT = Path(__file__).parents[2] / "frontend" / "dist"

_NOT_PAGES = ("api", "ws", "health", "metrics", "assets", "openapi.json")
"""First parts of addresses that are no pages: there, what does not exist is answered as such."""

_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_FIRST = "no-cache"

_NOT_BUILT = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>ia_modules</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<style>:root{color-scheme:light dark} body{font:16px/1.55 system-ui,sans-serif;max-width:44rem;margin:3rem auto}</style>
</head><body><h1>ia_modules</h1>
<p>The API runs, but the web pages are not built here.</p>
<p>In a checkout: <code>make install</code>. A wheel carries them already.</p>
<p><a href="/docs">What the API can be asked</a></p></body></html>"""

router = APIRouter(include_in_schema=False)


@router.api_route("/{path:path}", methods=["GET", "HEAD"])
async def page(request: Request, path: str) -> Response:
    """A built file, or the one page that all addresses share."""
    first, file = path.partition("/")[0], built_file(path)
    if file is not None:
        return FileResponse(file, headers={"Cache-Control": _FOR_EVER if first == "assets" else _ASK_FIRST})
    if first in _NOT_PAGES:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"There is nothing at {request.url.path}; /docs lists what there is.")
    index = BUILT / "index.html"
    if not index.is_file():
        return HTMLResponse(_NOT_BUILT)
    return FileResponse(index, headers={"Cache-Control": _ASK_FIRST})


def built_file(path: str) -> Path | None:
    """The built file at an address; None: there is none, or it lies elsewhere."""
    try:
        file = (BUILT / path).resolve()
        return file if file.is_relative_to(BUILT.resolve()) and file.is_file() else None
    except (OSError, ValueError):  # no file can have such a name: it is too long, or has a NUL in it
        return None
