from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from ia_modules.web.execution_tracker import ExecutionTracker
from showcase_app.backend.settings import Settings, UnsafeBind
from tests.showcase.server import Server, receive_page


async def test_a_host_name_that_is_not_this_machines_is_refused(api: httpx.AsyncClient, server: Server) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "]", "localhost@evil.example"):
        answer = await api.get("/api/executions", headers={"Host": host})
        assert answer.status_code == 421, host
        assert answer.headers["content-type"] == "application/problem+json"
    for host in ("localhost", server.host, "[::1]:5555", "LOCALHOST:1"):
        assert (await api.get("/api/executions", headers={"Host": host})).status_code == 200, host


async def test_a_socket_to_a_host_name_that_is_not_this_machines_is_refused(server: Server) -> None:
    address, _, port = server.host.partition(":")
    here: dict[str, Any] = {"host": address, "port": int(port)}
    two_names: dict[str, Any] = {"additional_headers": {"Host": "localhost"}}
    for url, options in (("ws://evil.example", here), (f"ws://{server.host}", two_names)):
        with pytest.raises(InvalidStatus) as refused:
            async with connect(f"{url}/ws/executions/nobody", **options):
                pass
        assert refused.value.response.status_code == 421


async def test_a_page_of_another_site_cannot_open_a_socket(
    server: Server, tracker: ExecutionTracker, pipeline_id: str
) -> None:
    execution_id = await tracker.start_execution(pipeline_id, "Nightly import")
    pages = ("http://evil.example", "null", "http://127.0.0.1:1", f"http://{server.host}.evil.example", "", "http://[")
    for origin in pages:
        with pytest.raises(InvalidStatus) as refused:
            async with server.watch(execution_id, origin=origin):
                pass
        assert refused.value.response.status_code == 403, origin
    async with server.watch(execution_id, origin=f"http://{server.host}") as client:
        assert (await receive_page(client))[-1]["data"]["execution_id"] == execution_id


async def test_an_origin_that_is_no_address_is_refused_everywhere(api: httpx.AsyncClient) -> None:
    for origin in ("http://[", "http://[::1"):
        answer = await api.get("/api/executions", headers={"Origin": origin})
        assert answer.status_code == 403, origin
        assert answer.headers["content-type"] == "application/problem+json"
    for origin in ("http://evil.example", "null"):  # a browser does not let such a page read the answer
        assert (await api.get("/api/executions", headers={"Origin": origin})).status_code == 200, origin


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", "", "localhost.example.com"])  # noqa: S104
def test_a_server_that_other_machines_could_reach_is_refused(host: str) -> None:
    with pytest.raises(UnsafeBind, match="loopback"):
        Settings(database_url="sqlite:///ia.db", host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_this_machines_own_names_are_accepted(host: str) -> None:
    assert Settings(database_url="sqlite:///ia.db", host=host).host == host
