from typing import Any

import httpx

from ia_modules.models import PipelineId, new_id
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.unit.tracker.used import call, execution_that_used


async def test_an_execution_its_steps_and_lists_have_what_was_used(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    cheap = await execution_that_used(tracker, pipeline_id, [call("m", 100, 5), call("new", 10)])
    dear = await execution_that_used(tracker, pipeline_id, [], [call("m", 1_000, 50, provider="p")])
    plain = await tracker.start_execution(pipeline_id)

    one = (await api.get(f"/api/executions/{cheap}")).json()
    assert [one[name] for name in ("input_tokens", "output_tokens", "cost_micros", "unpriced_calls")] == [110, 11, 5, 1]
    [step] = one["steps"]
    assert (step["input_tokens"], step["cost_micros"], step["unpriced_calls"]) == (110, 5, 1)
    assert [entry["gen_ai.request.model"] for entry in step["usage"]] == ["m", "new"]
    [run] = (await api.get(f"/api/executions/{dear}/runs", params={"within": "ask#1"})).json()["items"]
    assert (run["input_tokens"], run["usage"][0]["gen_ai.provider.name"]) == (1_000, "p")
    nothing = (await api.get(f"/api/executions/{plain}")).json()
    assert [nothing[name] for name in ("input_tokens", "cost_micros", "unpriced_calls")] == [None, None, None]

    by_model = (await api.get(f"/api/executions/{cheap}/usage")).json()
    assert by_model["currency"] == "USD"
    assert [
        (each["model"], each["calls"], each["cost_micros"], each["unpriced_calls"]) for each in by_model["models"]
    ] == [
        ("m", 1, 5, 0),
        ("new", 1, None, 1),
    ]
    assert (await api.get(f"/api/executions/{new_id()}/usage")).status_code == 404

    async def page(**query: str) -> dict[str, Any]:
        return (await api.get("/api/executions", params={"sort": "cost", **query})).raise_for_status().json()

    first = await page(limit="1")
    second = await page(limit="1", cursor=first["next_cursor"])
    assert [[item["execution_id"] for item in each["items"]] for each in (first, second)] == [[dear], [cheap]]
    assert second["next_cursor"] is None
    assert (await api.get("/api/executions", params={"sort": "cost", "cursor": "x"})).status_code == 422


async def test_a_window_has_its_usage_by_model_and_over_time(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    await execution_that_used(tracker, pipeline_id, [call("m", 100, 5), call("new", 10)])
    usage = (await api.get("/api/metrics/usage")).json()
    sums = {"input_tokens": 110, "output_tokens": 11, "cost_micros": 5, "unpriced_calls": 1}
    assert (usage["window"], usage["currency"], usage["total"]) == ("24h", "USD", sums)
    assert [each["model"] for each in usage["models"]] == ["m", "new"]
    assert sum(bucket["input_tokens"] for bucket in usage["buckets"]) == 110
    nothing = (await api.get("/api/metrics/usage", params={"window": "1h", "pipeline_id": new_id()})).json()
    assert (nothing["total"]["cost_micros"], nothing["models"]) == (None, [])
