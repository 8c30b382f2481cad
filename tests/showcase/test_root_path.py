"""Below a path behind a proxy, which takes it off the requests or leaves it on: everything is where it says it is."""

import json
import re
from collections.abc import Generator

import httpx
import pytest
from typer.testing import CliRunner
from websockets.asyncio.client import connect

from ia_modules.cli.app import app
from showcase_app.backend.settings import ApiKey, InvalidRootPath, Role, Settings
from tests.showcase.proxy import Proxy, proxied
from tests.showcase.server import PATIENCE_SECONDS, Server, receive, running

ROOT = "/flows"
KEY = "an operator's key"


@pytest.fixture
def below(database_url: str) -> Generator[Server]:
    keys = (ApiKey(name="ann", role=Role.OPERATOR, key=KEY),)
    with running(Server(database_url, root_path=ROOT, keys=keys)) as server:
        yield server


@pytest.fixture(params=[True, False], ids=["taken off", "left on"])
def proxy(request: pytest.FixtureRequest, below: Server) -> Generator[Proxy]:
    with proxied(int(below.url.rpartition(":")[2]), ROOT, strips=request.param) as proxy:
        yield proxy


async def test_pages_api_and_sockets_are_below_the_path(proxy: Proxy) -> None:
    host = proxy.url.removesuffix(ROOT)
    async with httpx.AsyncClient(base_url=host, timeout=PATIENCE_SECONDS) as client:
        page = (await client.get(f"{ROOT}/executions")).text
        links = re.findall(r'(?:src|href)="([^"]*)"', page)
        assert f"{ROOT}/icon.svg" in links
        for link in links:
            assert (await client.get(link)).status_code == 200, link
        assert f'<meta name="root" content="{ROOT}/"' in page

        signed_in = await client.post(f"{ROOT}/api/session", json={"key": KEY})
        assert "Path=/flows;" in signed_in.headers["Set-Cookie"]
        definition = {
            "name": "Waits",
            "steps": [{"id": "a", "type": "human_input", "config": {"prompt": "Well?"}}],
            "flow": {"start_at": "a", "paths": [{"from": "a", "to": "end"}]},
        }
        stored = await client.post(f"{ROOT}/api/pipelines", json={"definition": definition})
        assert (await client.get(stored.headers["Location"])).json()["name"] == "Waits"
        queued = await client.post(f"{ROOT}/api/pipelines/waits/executions", json={})
        assert (await client.get(queued.headers["Location"])).json()["pipeline_name"] == "Waits"

        docs = (await client.get(f"{ROOT}/docs")).text
        [openapi] = re.findall(r'href="(/[^"]*)"', docs)
        assert (await client.get(openapi)).json()["servers"] == [{"url": ROOT}]
        missing = (await client.get(f"{ROOT}/api/executions/none")).json()
        assert missing["instance"] == f"{ROOT}/api/executions/none"

        cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        socket = f"ws{proxy.url.removeprefix('http')}/ws/executions/{queued.json()['execution_id']}?after=0"
        async with connect(socket, additional_headers={"Cookie": cookies}) as watching:
            assert (await receive(watching))["type"] == "changes"

        assert (await client.delete(f"{ROOT}/api/session")).status_code == 204
        assert (await client.get(f"{ROOT}/api/executions")).status_code == 401


async def test_names_with_a_slash_keep_it_below_the_path(proxy: Proxy) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=proxy.url, headers=headers, timeout=PATIENCE_SECONDS) as client:
        missing = await client.get("/api/executions/orders%2F7")
        assert missing.status_code == 404
        assert "orders/7" in missing.json()["detail"]


async def test_the_server_itself_answers_with_and_without_the_path(below: Server) -> None:
    async with below.client() as client:
        for path in ("/health", f"{ROOT}/health"):
            assert json.loads((await client.get(path)).text)["status"] == "healthy", path
        assert (await client.get(f"{ROOT}/api/executions")).status_code == 401
        assert (
            await client.get(f"{ROOT}{ROOT}/api/executions")
        ).status_code == 200  # a page, and no way around the key


@pytest.mark.parametrize(
    "root_path", ["flows", "/flows/", "/a b", "/a?b", "/..", "/flows/../x", "//x", "/api", "/ws/x"]
)
def test_a_path_that_cannot_be_one_is_refused(root_path: str) -> None:
    with pytest.raises(InvalidRootPath, match="such as /flows"):
        Settings(database_url="sqlite:///:memory:", root_path=root_path)


def test_the_command_says_which_path_cannot_be_one() -> None:
    refused = CliRunner().invoke(app, ["serve", "--root-path", "flows", "--port", "0", "--db", "sqlite:///:memory:"])
    assert refused.exit_code != 0
    assert "'flows' cannot be used" in refused.output
