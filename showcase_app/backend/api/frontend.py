"""The web pages: the built files of ``showcase_app/frontend``, and how to build them where they are missing.

The pages have addresses of their own (``/executions/ID``); whatever is no file and no part of the API is answered with
``index.html``, which reads the address. Files under ``/assets`` carry a hash in their name and never change; the build
has put each beside itself compressed, and a client gets the smallest that it takes.
"""

from hashlib import sha256
from http import HTTPStatus
from mimetypes import guess_type
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import FileResponse, HTMLResponse

from showcase_app.backend.api.addresses import rooted
from showcase_app.backend.api.compression import encodings_of
from showcase_app.backend.settings import OWN_PATHS

BUILT = Path(__file__).parents[2] / "frontend" / "dist"

_NOT_PAGES = OWN_PATHS - {"docs"}
"""First parts of addresses that are no pages: there, what does not exist is answered as such."""

_COMPRESSED = {"br": ".br", "gzip": ".gz"}
"""What stands behind the name of a file in the name of the same file compressed, the smallest first."""

_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_FIRST = "no-cache"

_NOT_BUILT = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>ia_modules</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<style>:root{color-scheme:light dark} body{font:16px/1.55 system-ui,sans-serif;max-width:44rem;margin:3rem auto}</style>
</head><body><h1>ia_modules</h1>
<p>The API runs, but the web pages are not built here.</p>
<p>In a checkout: <code>make install</code>. A wheel carries them already.</p>
<p><a href="./docs">What the API can be asked</a></p></body></html>"""

router = APIRouter(include_in_schema=False)


@router.api_route("/{path:path}", methods=["GET", "HEAD"])
async def page(request: Request, path: str) -> Response:
    """A built file, or the one page that all addresses share."""
    first, file = path.partition("/")[0], built_file(path)
    if file is not None:
        return _sent(file, request, _FOR_EVER if first == "assets" else _ASK_FIRST)
    if first in _NOT_PAGES:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"There is nothing at {request.url.path}; /docs lists what there is.")
    index = BUILT / "index.html"
    return _page(index.read_text(encoding="utf-8") if index.is_file() else _NOT_BUILT, request)


def _page(text: str, request: Request) -> Response:
    """The one page. The build knows no root path: it begins every address in it with ``./``."""
    content = text.replace('="./', f'="{rooted(request, "/")}').encode()
    headers = {"Cache-Control": _ASK_FIRST, "ETag": f'"{sha256(content).hexdigest()[:32]}"'}
    return _unless_known(HTMLResponse(content, headers=headers), request)


def _sent(file: Path, request: Request, cache: str) -> Response:
    """A file, compressed where the build has done that and the client takes it; 304 when the client has it already."""
    stored, headers = file, {"Cache-Control": cache}
    if file.with_name(file.name + _COMPRESSED["br"]).is_file():
        headers["Vary"] = "Accept-Encoding"
        taken = next((each for each in _COMPRESSED if each in encodings_of(request.headers)), None)
        if taken is not None:
            headers["Content-Encoding"] = taken
            stored = file.with_name(file.name + _COMPRESSED[taken])
    media_type = guess_type(file.name)[0]
    answer = FileResponse(stored, media_type=media_type, headers=headers, stat_result=stored.stat())
    return _unless_known(answer, request)


def _unless_known(answer: Response, request: Request) -> Response:
    """The answer, or 304 when the client says that it has this one."""
    known = (tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(","))
    if answer.headers["ETag"] not in known:
        return answer
    kept = {name: answer.headers[name] for name in ("Cache-Control", "ETag", "Vary") if name in answer.headers}
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=kept)


def built_file(path: str) -> Path | None:
    """The built file at an address; None: there is none, or it lies elsewhere."""
    try:
        file = (BUILT / path).resolve()
        is_there = file.is_relative_to(BUILT.resolve()) and file.suffix not in _COMPRESSED.values() and file.is_file()
        return file if is_there else None
    except (OSError, ValueError):  # no file can have such a name: it is too long, or has a NUL in it
        return None
