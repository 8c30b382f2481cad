from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from ia_modules.tracker.execution_tracker import ExecutionTracker
from showcase_app.backend.settings import (
    InvalidHosts,
    InvalidKeys,
    Role,
    Settings,
    UnsafeBind,
    parse_hosts,
    parse_keys,
)
from tests.showcase.server import Picture, Server, running


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
        assert (await Picture().follow(client)).execution["execution_id"] == execution_id


async def test_an_origin_that_is_no_address_is_refused_everywhere(api: httpx.AsyncClient) -> None:
    for origin in ("http://[", "http://[::1"):
        answer = await api.get("/api/executions", headers={"Origin": origin})
        assert answer.status_code == 403, origin
        assert answer.headers["content-type"] == "application/problem+json"
    for origin in ("http://evil.example", "null"):  # a browser does not let such a page read the answer
        assert (await api.get("/api/executions", headers={"Origin": origin})).status_code == 200, origin


async def test_a_page_of_another_site_cannot_write(api: httpx.AsyncClient, server: Server) -> None:
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", ""):
        for method, path in (("POST", "/api/pipelines"), ("PUT", "/api/pipelines/x"), ("DELETE", "/api/session")):
            answer = await api.request(method, path, headers={"Origin": origin}, json={})
            assert answer.status_code == 403, (origin, method)
            assert answer.headers["content-type"] == "application/problem+json"
    for headers in ({}, {"Origin": f"http://{server.host}"}):
        assert (await api.post("/api/session", headers=headers, json={"key": "x"})).status_code == 200


async def test_no_answer_lets_another_origin_read_it(api: httpx.AsyncClient) -> None:
    answer = await api.get("/api/executions", headers={"Origin": "http://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    headers = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    assert (await api.request("OPTIONS", "/api/pipelines", headers=headers)).status_code == 405


async def test_a_write_is_json_or_refused(api: httpx.AsyncClient) -> None:
    for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", ""):
        answer = await api.post("/api/session", content='{"key": "x"}', headers={"Content-Type": kind})
        assert answer.status_code == 415, kind
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await api.post("/api/session", content='{"key": "x"}')).status_code == 415
    for kind in ("application/json", "Application/JSON; charset=utf-8"):
        answer = await api.post("/api/session", content='{"key": "x"}', headers={"Content-Type": kind})
        assert answer.status_code == 200, kind
    assert (await api.delete("/api/session")).status_code == 204  # no body needs no type


async def test_every_answer_says_what_a_browser_may_do_with_it(
    server: Server, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(ExecutionTracker, "changes", fail)
    refused = await api.get("/", headers={"Host": "evil.example"})
    assert "content-security-policy" in refused.headers
    for path, status in (
        ("/", 200),
        ("/docs", 200),
        ("/openapi.json", 200),
        ("/api/executions", 200),
        ("/api/executions/nobody", 404),
        ("/api/executions/nobody/changes", 500),
    ):
        answer = await api.get(path)
        assert answer.status_code == status, path
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"


async def test_other_names_are_answered_when_they_are_the_servers(database_url: str) -> None:
    settings: dict[str, Any] = {
        "keys": parse_keys("ada=0123456789abcdef"),
        "hosts": parse_hosts("ia.example, Other.example"),
    }
    with running(Server(database_url, **settings)) as server:
        async with server.client(headers={"Authorization": "Bearer 0123456789abcdef"}) as client:
            for host, status in (
                ("ia.example", 200),
                ("other.example:8080", 200),
                ("localhost", 200),
                ("evil.ia.example", 421),
                ("ia.example.", 421),
            ):
                answer = await client.get("/api/executions", headers={"Host": host})
                assert answer.status_code == status, host


def test_keys_are_read_with_their_names_and_roles() -> None:
    keys = parse_keys("ada=abc=/+0123456789, bob:viewer=xyz-0123456789ab ,ada:operator=second-0123456789,")
    assert [(key.name, key.role, key.key) for key in keys] == [
        ("ada", Role.OPERATOR, "abc=/+0123456789"),
        ("bob", Role.VIEWER, "xyz-0123456789ab"),
        ("ada", Role.OPERATOR, "second-0123456789"),
    ]
    assert parse_keys("") == ()
    assert "abc" not in repr(keys)
    assert "abc" not in repr(Settings(database_url="sqlite:///ia.db", keys=keys))


@pytest.mark.parametrize(
    "text",
    [
        "hunter2-0123456789",
        "=hunter2-0123456789",
        "ada:root=hunter2-0123456789",
        "ada: =hunter2-0123456789",
        "a b=hunter2-0123456789",
        "ada=",
        "ada=hunter2 0123456789",
        "ada=hunter2-é123456789",
        "ada=hunter2-0123456",
        "ada=hunter2-" + "x" * 1000,
    ],
)
def test_keys_that_cannot_be_read_are_refused_without_being_shown(text: str) -> None:
    with pytest.raises(InvalidKeys, match="IA_MODULES_API_KEYS: entry 2 ") as refused:
        parse_keys(f"first=hunter1-0123456789,{text}")
    assert "hunter" not in str(refused.value)


def test_a_key_that_could_be_guessed_is_refused_with_what_makes_a_good_one() -> None:
    with pytest.raises(InvalidKeys, match="'ada' a key that is not 16 to 1,000 printable ASCII characters"):
        parse_keys("ada=0123456789abcde")
    assert parse_keys("ada=0123456789abcdef")[0].key == "0123456789abcdef"


def test_one_key_has_one_owner() -> None:
    with pytest.raises(InvalidKeys, match="a key that another entry has"):
        parse_keys("ada=the-same-0123456789,bob=the-same-0123456789")


@pytest.mark.parametrize("text", ["http://a.example", "a.example:80", "a b", "a/b"])
def test_names_that_no_request_can_ask_for_are_refused(text: str) -> None:
    with pytest.raises(InvalidHosts, match="IA_MODULES_HOSTS"):
        parse_hosts(text)


def test_a_server_with_keys_may_be_reached_from_other_machines() -> None:
    keys = parse_keys("ada=0123456789abcdef")
    everywhere = "0.0.0.0"  # noqa: S104
    assert Settings(database_url="sqlite:///ia.db", host=everywhere, keys=keys).host == everywhere


def test_names_of_other_machines_need_keys_too() -> None:
    with pytest.raises(UnsafeBind, match=r"ia\.example"):  # a proxy in front would let everybody in
        Settings(database_url="sqlite:///ia.db", hosts=parse_hosts("ia.example"))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", "", "localhost.example.com"])  # noqa: S104
def test_a_server_that_other_machines_could_reach_is_refused(host: str) -> None:
    with pytest.raises(UnsafeBind, match="loopback"):
        Settings(database_url="sqlite:///ia.db", host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_this_machines_own_names_are_accepted(host: str) -> None:
    assert Settings(database_url="sqlite:///ia.db", host=host).host == host
