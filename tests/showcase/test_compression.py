"""What is sent compressed, to whom, and what never is."""

import gzip
import json
from pathlib import Path

import httpx
import pytest

from ia_modules.models import PipelineId
from ia_modules.tracker.execution_tracker import ExecutionTracker
from showcase_app.backend.api import frontend
from tests.showcase.server import Server


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pages as the build leaves them, with one file of code."""
    (tmp_path / "assets").mkdir()
    code = b"export const a = 1;\n" * 200
    (tmp_path / "assets" / "a-1.js").write_bytes(code)
    (tmp_path / "assets" / "a-1.js.gz").write_bytes(gzip.compress(code))
    (tmp_path / "assets" / "a-1.js.br").write_bytes(b"as brotli makes it")
    (tmp_path / "index.html").write_text('<link rel="icon" href="./icon.svg">', encoding="utf-8")
    monkeypatch.setattr(frontend, "BUILT", tmp_path)
    return tmp_path


async def raw(server: Server, path: str, **headers: str) -> tuple[httpx.Headers, bytes]:
    """The answer as it is sent: httpx would undo its encoding."""
    async with (
        server.client() as client,
        client.stream("GET", path, headers=headers) as answer,
    ):
        return answer.headers, b"".join([part async for part in answer.aiter_raw()])


@pytest.mark.parametrize(
    ("takes", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("identity", None),
        ("gzip;q=0", None),
        ("", None),
    ],
)
async def test_code_comes_as_the_build_compressed_it_in_the_smallest_way_that_a_client_takes(
    idle_server: Server, built: Path, takes: str, encoding: str | None
) -> None:
    headers, body = await raw(idle_server, "/assets/a-1.js", **{"Accept-Encoding": takes})
    ending = {"br": ".br", "gzip": ".gz", None: ""}[encoding]
    assert body == (built / "assets" / f"a-1.js{ending}").read_bytes()
    assert headers.get("Content-Encoding") == encoding
    assert headers["Content-Type"].startswith("text/javascript")
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert headers["Vary"] == "Accept-Encoding"


async def test_what_a_client_has_already_is_not_sent_again(idle: httpx.AsyncClient, built: Path) -> None:
    for path in ("/assets/a-1.js", "/", "/executions"):
        first = await idle.get(path)
        again = await idle.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
        assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
    other = await idle.get("/assets/a-1.js", headers={"Accept-Encoding": "gzip"})
    plain = await idle.get("/assets/a-1.js", headers={"Accept-Encoding": "identity"})
    assert other.headers["ETag"] != plain.headers["ETag"]
    (built / "index.html").write_text("<p>another build</p>", encoding="utf-8")
    assert (await idle.get("/", headers={"If-None-Match": (await idle.get("/x")).headers["ETag"]})).status_code == 304
    assert (await idle.get("/assets/a-1.js.br")).status_code == 404


async def test_answers_of_a_kibibyte_are_compressed_and_smaller_ones_not(idle_server: Server) -> None:
    large, packed = await raw(idle_server, "/openapi.json", **{"Accept-Encoding": "gzip"})
    assert large["Content-Encoding"] == "gzip"
    assert large["Vary"] == "Accept-Encoding"
    assert int(large["Content-Length"]) == len(packed)
    plain, body = await raw(idle_server, "/openapi.json", **{"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain
    assert gzip.decompress(packed) == body
    assert len(packed) < len(body) / 4
    small, session = await raw(idle_server, "/api/session", **{"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in small
    assert json.loads(session)["actor"] == "local"


async def test_what_comes_in_parts_is_never_compressed(
    idle_server: Server, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await tracker.start_execution(pipeline_id, input_data={"text": "again and " * 1000})
    for path in ("export", "run-file"):
        headers, body = await raw(
            idle_server, f"/api/executions/{execution_id}/{path}", **{"Accept-Encoding": "gzip, br"}
        )
        assert "Content-Encoding" not in headers, path
        assert len(body) > 10_000, path
