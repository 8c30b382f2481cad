import re

import httpx
import pytest


async def test_the_pages_lead_to_the_api_and_need_nothing_from_the_internet(api: httpx.AsyncClient) -> None:
    home, docs = await api.get("/"), await api.get("/docs")
    for page in (home, docs):
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert re.findall(r"(?:src|href)=\"(?:https?:)?//[^\"]*", page.text) == []
    for link in re.findall(r'href="(/[^"]*)"', home.text + docs.text):
        assert (await api.get(link)).status_code == 200, link
    document = (await api.get("/openapi.json")).json()
    for path in document["paths"]:
        assert path in docs.text
    for body in ("NewPipelineRequest", "RunRequest", "BulkRequest"):
        assert f'<th>body</th><td><a href="#{body}">' in docs.text
    assert "each event " in docs.text
    anchors = set(re.findall(r'href="#(\w+)"', docs.text))
    assert anchors <= set(re.findall(r'id="(\w+)"', docs.text))


@pytest.mark.parametrize(
    "name", ["%00", "a%00b", "a" * 300, "a/" * 2500, "%ed%a0%80", "..%2f" * 9 + "etc/passwd", "..%5c"]
)
async def test_an_address_that_no_built_file_has_is_a_page_and_below_assets_it_is_nothing(
    api: httpx.AsyncClient, name: str
) -> None:
    home = await api.get("/")
    found = await api.get(f"/{name}")
    assert (found.status_code, found.text) == (200, home.text)
    assert (await api.get(f"/assets/{name}")).status_code == 404


async def test_the_openapi_document_says_how_problems_look(api: httpx.AsyncClient) -> None:
    document = (await api.get("/openapi.json")).json()
    responses = document["paths"]["/api/executions/{execution_id}"]["get"]["responses"]
    assert responses["404"]["content"] == {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}
    }
    assert set(responses["422"]["content"]) == {"application/problem+json"}
    assert set(responses["200"]["content"]) == {"application/json"}
    statuses = set(document["paths"]["/api/executions/{execution_id}/steps"]["get"]["responses"])
    assert statuses == {"200", "401", "403", "404", "421", "422", "431", "503"}
    for name in ("ExecutionDetail", "StepDetail"):
        assert "65,536 bytes" in document["components"]["schemas"][name]["description"]
        assert "omitted" in document["components"]["schemas"][name]["required"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
