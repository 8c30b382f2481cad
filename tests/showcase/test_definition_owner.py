"""Who owns a definition, over HTTP: files on servers, pages and other clients."""

import json
import logging
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from ia_modules.pipeline.allowed_code import MODULES_VARIABLE
from tests.showcase.server import PATIENCE_SECONDS, Server, running

STEPS = "tests.showcase.steps"


def greeting(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Greeting",
        "slug": "greeting",
        "steps": [{"id": "greet", "module": STEPS, "step_class": "greet"}],
        "flow": {"start_at": "greet", "paths": []},
        **changes,
    }


def write(folder: Path, description: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "greeting.json"
    file.write_text(json.dumps(greeting(description=description)))
    return folder


@pytest.fixture
def site(database_url: str, monkeypatch: pytest.MonkeyPatch) -> "Site":
    monkeypatch.setenv(MODULES_VARIABLE, STEPS)
    return Site(database_url)


class Site:
    """Servers over one database, each with a folder of its own."""

    def __init__(self, database_url: str) -> None:
        self.database_url = database_url

    def server(self, folder: Path) -> Server:
        return Server(self.database_url, slots=0, pipeline_folders=(folder,))


def client(server: Server, *, is_page: bool = False) -> httpx.Client:
    headers = {"Origin": server.url} if is_page else {}
    return httpx.Client(base_url=server.url, timeout=PATIENCE_SECONDS, headers=headers)


def pipeline(api: httpx.Client) -> dict[str, Any]:
    answer = api.get("/api/pipelines/greeting")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_server_whose_file_changed_after_a_page_edit_starts_and_shows_both(site: Site, tmp_path: Path) -> None:
    folder = write(tmp_path, "one")
    with running(site.server(folder)) as server, client(server, is_page=True) as page, client(server) as program:
        first = pipeline(page)
        assert (first["owner"]["origin"], first["version_origin"]) == ("file", "file")
        [file] = first["owner"]["files"]
        assert (file["path"], file["version"]) == (str(folder / "greeting.json"), 1)
        two = {"definition": greeting(description="two"), "base_version": 1, "note": "says more"}
        edited = page.put("/api/pipelines/greeting", json=two).json()
        assert (edited["version_origin"], edited["version_author"], edited["version_note"]) == (
            "page",
            "local",
            "says more",
        )
        assert edited["owner"]["origin"] == "page"
        sent = program.put("/api/pipelines/greeting", json={"definition": greeting(description="two b")}).json()
        assert (sent["version"], sent["owner"]["origin"]) == (3, "api")
    write(tmp_path, "three")
    with running(site.server(folder)) as server, client(server, is_page=True) as page:
        shown = pipeline(page)
        assert (shown["current_version"], shown["description"]) == (3, "two b")
        [beside] = shown["owner"]["beside"]
        assert (beside["version"], beside["origin"], beside["path"]) == (4, "file", str(folder / "greeting.json"))
        [row] = page.get("/api/pipelines").json()["items"]
        assert (row["current_version"], row["beside"]) == (3, [4])
        listed = page.get("/api/pipelines/greeting/versions").json()["items"]
        assert [each["origin"] for each in listed] == ["file", "api", "page", "file"]
        assert [each["note"] for each in listed] == [None, None, "says more", None]
        late = page.post("/api/pipelines/greeting/current", json={"version": 4, "base_version": 2})
        assert late.status_code == 409
        chosen = page.post("/api/pipelines/greeting/current", json={"version": 4, "base_version": 3}).json()
        assert (chosen["current_version"], chosen["description"], chosen["owner"]["beside"]) == (4, "three", [])
        assert page.get("/api/pipelines").json()["items"][0]["beside"] == []
        assert page.post("/api/pipelines/greeting/current", json={"version": 9}).status_code == 404


def test_a_page_edit_of_what_the_file_has_changed_meanwhile_is_stored_beside_it(site: Site, tmp_path: Path) -> None:
    folder = write(tmp_path, "one")
    with running(site.server(folder)):
        pass
    write(tmp_path, "two")
    with running(site.server(folder)) as server, client(server, is_page=True) as page:
        mine = {"definition": greeting(description="mine"), "base_version": 1}
        assert page.put("/api/pipelines/greeting", json=mine).status_code == 409
        stored = page.put("/api/pipelines/greeting", json={**mine, "if_stale": "beside"}).json()
        assert (stored["version"], stored["current_version"], stored["owner"]["origin"]) == (3, 2, "file")
        [beside] = stored["owner"]["beside"]
        assert (beside["version"], beside["origin"], beside["author"]) == (3, "page", "local")


def test_two_servers_with_different_files_warn_once_and_take_no_turns(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    here, there = (write(tmp_path / name, name) for name in ("here", "there"))
    caplog.set_level(logging.WARNING, "ia_modules.worker")
    shown: list[dict[str, Any]] = []
    for _ in range(2):
        with ExitStack() as open_now:
            servers = [open_now.enter_context(running(site.server(folder))) for folder in (here, there)]
            shown = [pipeline(open_now.enter_context(client(server))) for server in servers]
    assert shown[0]["owner"] == shown[1]["owner"]
    assert (shown[0]["current_version"], shown[0]["description"]) == (2, "there")
    assert [each["version"] for each in shown[0]["owner"]["beside"]] == [1]
    warnings = [record.message for record in caplog.records if "stays the current one" in record.message]
    assert len(warnings) == 1
    assert str(here / "greeting.json") in warnings[0]


def test_what_is_written_runs_once_as_a_version_that_is_not_current(site: Site, tmp_path: Path) -> None:
    folder = write(tmp_path, "one")
    with running(site.server(folder)) as server, client(server, is_page=True) as page:
        draft = greeting(description="draft", parameters=[{"name": "who", "schema": {"type": "string"}}])
        once = "/api/pipelines/greeting/run-once"
        wrong = page.post(once, json={"definition": draft, "input_data": {"who": 1}})
        assert wrong.status_code == 422
        outside = greeting(steps=[{"id": "greet", "module": "os", "step_class": "system"}])
        assert page.post(once, json={"definition": outside}).status_code == 422
        assert len(page.get("/api/pipelines/greeting/versions").json()["items"]) == 1, "nothing was stored"
        bodies = {"definition": draft, "input_data": {"who": "Ann"}, "note": "only a try"}
        ran = [page.post(once, json=bodies, headers={"Idempotency-Key": "once"}) for _ in range(2)]
        assert [answer.status_code for answer in ran] == [202, 202]
        assert ran[0].json()["execution_id"] == ran[1].json()["execution_id"]
        assert ran[0].json()["pipeline_version"] == 2
        shown = pipeline(page)
        assert (shown["current_version"], shown["owner"]["newest_version"], shown["owner"]["beside"]) == (1, 2, [])
        [newest, _] = page.get("/api/pipelines/greeting/versions").json()["items"]
        assert (newest["origin"], newest["note"], newest["is_current"]) == ("page", "only a try", False)
        page.delete("/api/pipelines/greeting")
        assert page.post(once, json=bodies).status_code == 409


def test_the_code_of_steps_is_shown_and_the_graph_of_what_is_written_is_drawn(site: Site, tmp_path: Path) -> None:
    folder = write(tmp_path, "one")
    (folder / "own_steps.py").write_text('def wave(data):\n    """Waves."""\n')
    with running(site.server(folder)) as server, client(server) as api:
        code = api.get("/api/definitions/code", params={"pipeline_id": "greeting"}).json()
        assert code["patterns"] == [STEPS, "ia_modules.steps"]
        assert code["modules"][0] == {
            "name": "own_steps",
            "is_beside": True,
            "names": [{"name": "wave", "description": "Waves.", "fields": []}],
        }
        assert "greet" in [each["name"] for module in code["modules"] for each in module["names"]]
        assert api.get("/api/definitions/code", params={"pipeline_id": "nobody"}).status_code == 404
        outside = greeting(steps=[{"id": "greet", "module": "os", "step_class": "system"}])
        looked_at = api.post("/api/definitions/validate", json={"definition": outside}).json()
        assert (looked_at["valid"], looked_at["input_schema"]) == (False, None)
        assert [node["id"] for node in looked_at["graph"]["nodes"]] == ["greet"]
