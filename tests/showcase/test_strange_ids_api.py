"""Over HTTP and the socket too, a text that is no id gives what an unknown id gives, or is refused; never a 500."""

from urllib.parse import quote

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from ia_modules.models import new_id
from tests.acceptance.test_strange_ids import disguises
from tests.showcase.asking import queue_some
from tests.showcase.server import Server

ADDRESSES = (
    "GET /api/executions/{}",
    "GET /api/executions/{}/payloads",
    "GET /api/executions/{}/steps",
    "GET /api/executions/{}/runs",
    "GET /api/executions/{}/changes",
    "GET /api/executions/{}/logs",
    "GET /api/executions/{}/export",
    "GET /api/executions/{}/run-file",
    "POST /api/executions/{}/cancel",
    "POST /api/executions/{}/rerun",
    "GET /api/executions/REAL/steps/{}",
    "GET /api/executions/REAL/logs?step_execution_id={}",
    "GET /api/executions?pipeline_id={}",
    "GET /api/executions?cursor={}",
    "GET /api/executions/statistics?pipeline_id={}",
    "GET /api/executions/REAL/steps?cursor={}",
    "GET /api/executions/REAL/runs?after=1:{}",
    "GET /api/executions/REAL/logs?cursor=0:{}",
    "GET /api/metrics/report?pipeline_id={}",
    "GET /api/metrics/history?pipeline_id={}",
    "GET /api/pipelines/{}",
    "GET /api/pipelines/{}/graph",
    "DELETE /api/pipelines/{}",
)
WORDS = ("e1", "nobody", "ö", "a b")


async def test_every_address_takes_any_text_for_an_id(idle: httpx.AsyncClient) -> None:
    (real, *_), pipeline_id = await queue_some(idle, 1)
    for address in ADDRESSES:
        method, path = address.replace("REAL", real).split(" ")
        unknown = await idle.request(method, path.format(new_id()))
        for text in (*disguises(real), pipeline_id.upper(), *WORDS):
            answer = await idle.request(method, path.format(quote(text, safe="")))
            is_as_unknown = answer.status_code == unknown.status_code != 200 or shown(answer) == shown(unknown)
            assert is_as_unknown or answer.status_code == 422, (address, text, answer.text)


def shown(answer: httpx.Response) -> object:
    """What an answer says, but for the moment in which it was asked."""
    body = answer.json()
    return {
        key: value for key, value in body.items() if key not in ("since", "until", "buckets", "metrics", "pipeline_id")
    }


async def test_bulk_changes_refuse_such_a_text_as_an_unknown_id(idle: httpx.AsyncClient) -> None:
    (real, *_), _ = await queue_some(idle, 1)
    for text in (*disguises(real), *WORDS):
        answer = await idle.post("/api/executions/bulk", json={"action": "cancel", "execution_ids": [text]})
        assert answer.status_code == 422 or (answer.status_code == 200 and len(answer.json()["refused"]) == 1), text


async def test_the_socket_of_such_a_text_closes_as_that_of_an_unknown_id(idle_server: Server) -> None:
    for text in (*disguises(new_id()), *WORDS):
        async with idle_server.watch(quote(text, safe="")) as socket:
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 4404, text
