"""Pipelines by their slugs over HTTP: other programs choose them as they like, percent-encoded in addresses."""

from urllib.parse import quote

import httpx
import pytest

from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.showcase.asking import read, refused

SLUGS = ["a/b/versions", "Grüße, 世界", "100 % sure?#&=+.x", "%2F", "a\nb", "x" * 200]
OF_DEFINITIONS = ["what?#50%&a=b+c", "%2F", "graph"]
"""A definition's slug has no space and no slash."""


def named(slug: str, rest: str = "") -> str:
    return f"{quote(slug, safe='').replace('.', '%2E')}{rest}"


@pytest.mark.parametrize("slug", SLUGS)
async def test_a_pipeline_of_another_program_is_read_and_its_failures_are_marked(
    idle: httpx.AsyncClient, tracker: ExecutionTracker, slug: str
) -> None:
    pipeline_id = await tracker.register_pipeline(slug, "Theirs")
    with pytest.raises(ValueError, match="no order"):
        async with tracker.execution(pipeline_id, pipeline_name="Theirs") as execution, execution.step("charge/it #1?"):
            raise ValueError("no order 17")
    found = await read(idle, f"/api/pipelines/{named(slug)}")
    assert (found["id"], found["slug"]) == (pipeline_id, slug)
    assert (await read(idle, f"/api/pipelines/{named(slug, '/versions')}"))["items"] == []
    [failure] = (await read(idle, "/api/failures", pipeline_id=slug))["items"]
    assert failure["id"].startswith(f"{slug}.")
    address = f"/api/failures/{named(failure['id'])}"
    assert (await read(idle, address))["message"] == "no order <n>"
    assert (await idle.post(f"{address}/mute", json={})).json()["state"] == "muted"
    assert (await idle.post(f"{address}/unmute", json={})).json()["state"] == "open"
    assert (await idle.post(f"{address}/mended", json={"version": 1})).status_code == 404


@pytest.mark.parametrize("slug", OF_DEFINITIONS)
async def test_a_pipeline_is_stored_started_and_archived_by_any_slug_that_a_definition_may_have(
    idle: httpx.AsyncClient, slug: str
) -> None:
    definition = {"slug": slug, "name": "Ask", "steps": [{"id": "ask", "type": "human_input"}]}
    definition |= {"flow": {"start_at": "ask", "paths": []}}
    assert (await idle.post("/api/pipelines", json={"definition": definition})).status_code == 201
    large = {"input_data": {"text": "x" * 20_000}}  # more than routes take that declare nothing
    started = await idle.post(f"/api/pipelines/{named(slug, '/executions')}", json=large)
    assert started.status_code == 202, started.text
    assert len((await read(idle, f"/api/pipelines/{named(slug, '/graph')}"))["nodes"]) == 1
    await idle.post(f"/api/executions/{started.json()['execution_id']}/cancel", json={})
    assert (await idle.delete(f"/api/pipelines/{named(slug)}")).status_code == 204


async def test_a_text_that_no_database_keeps_names_nothing(idle: httpx.AsyncClient) -> None:
    for name in ("%00", "%FF", "%ED%A0%80", "x" * 201):
        assert (await refused(idle, f"/api/pipelines/{name}"))[0] == 422
    for name in ("%00", "%FF", "x" * 221):
        assert (await refused(idle, f"/api/failures/{name}"))[0] == 422
    for name in ("nobody", "a%2Fb", "a%20b"):
        assert (await refused(idle, f"/api/pipelines/{name}"))[0] == 404
        assert (await refused(idle, f"/api/failures/{name}"))[0] == 404
