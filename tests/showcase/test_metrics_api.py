import itertools
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from ia_modules.errors import InvalidArgument
from ia_modules.models import PipelineId
from ia_modules.tracker.execution_tracker import ExecutionTracker
from showcase_app.backend.targets import Targets
from tests.showcase.server import Server, running


async def record(tracker: ExecutionTracker, pipeline_id: PipelineId, statuses: Mapping[str, int]) -> None:
    """So many executions of each status; in each that failed, a step failed, was tried again and fell back."""
    for status, count in statuses.items():
        for _ in range(count):
            execution_id = await tracker.start_execution(pipeline_id)
            for ended, error in (("failed", "no answer"), ("completed", "no answer")) if status == "failed" else ():
                step = await tracker.start_step_execution(execution_id, "load", "Load", "task")
                await tracker.complete_step_execution(step, ended, error_message=error)
            if status != "running":
                await tracker.update_execution_status(execution_id, status)


def by_key(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {metric["key"]: metric for metric in report["metrics"]}


async def test_a_report_holds_each_metric_against_its_target(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    await record(tracker, pipeline_id, {"completed": 7, "failed": 1, "cancelled": 2, "running": 1})

    report = (await api.get("/api/metrics/report")).json()
    assert (report["window"], report["executions"], report["ended"], report["retries"]) == ("24h", 11, 10, 1)
    assert report["by_status"] == {
        "pending": 0,
        "running": 1,
        "waiting": 0,
        "waiting_for_human": 0,
        "completed": 7,
        "failed": 1,
        "cancelled": 2,
    }
    assert {key: (it["value"], it["target"], it["met"]) for key, it in by_key(report).items()} == {
        "success_rate": (7 / 8, 0.95, False),
        "compensation_rate": (1.0, 0.10, False),
        "plan_churn": (0.1, 2.0, True),
        "human_intervention_rate": (0.0, 0.05, True),
    }
    success = by_key(report)["success_rate"]
    assert (success["numerator"], success["denominator"], success["comparison"]) == (7, 8, "at_least")
    assert report["completion"]["count"] == 7
    assert report["completion"]["p50_seconds"] <= report["completion"]["p99_seconds"]
    assert report["throughput_per_hour"] == pytest.approx(10 / 24)
    [step] = report["steps"]
    assert (step["step_id"], step["pipeline_name"], step["runs"], step["retries"]) == ("load", "Nightly import", 1, 1)
    assert [it["success_rate"] for it in report["pipelines"]] == [7 / 8]
    assert report["sampled"] is False


async def test_a_number_leads_to_the_executions_behind_it(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    await record(tracker, pipeline_id, {"completed": 2, "failed": 3})
    metrics = by_key((await api.get("/api/metrics/report", params={"pipeline_id": pipeline_id})).json())

    behind = (await api.get(f"/api/executions?{metrics['success_rate']['executions_query']}")).json()
    assert [it["status"] for it in behind["items"]] == ["failed"] * 3
    behind = (await api.get(f"/api/executions?{metrics['plan_churn']['executions_query']}")).json()
    assert len(behind["items"]) == 5


async def test_without_executions_there_are_no_values(api: httpx.AsyncClient) -> None:
    for window in ("1h", "6h", "24h", "7d", "30d", "all"):
        report = (await api.get("/api/metrics/report", params={"window": window})).json()
        assert {(it["value"], it["met"]) for it in report["metrics"]} == {(None, None)}
        assert (report["since"] is None) == (window == "all")
        history = (await api.get("/api/metrics/history", params={"window": window})).json()
        assert {bucket["started"] for bucket in history["buckets"]} == {0}


async def test_a_history_has_no_gaps_and_all_executions(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    await record(tracker, pipeline_id, {"completed": 3, "failed": 1})
    history = (await api.get("/api/metrics/history", params={"window": "6h"})).json()

    starts = [datetime.fromisoformat(bucket["start"]) for bucket in history["buckets"]]
    assert {two - one for one, two in itertools.pairwise(starts)} == {timedelta(seconds=history["bucket_seconds"])}
    assert sum(bucket["completed"] for bucket in history["buckets"]) == 3
    assert sum(bucket["failed"] for bucket in history["buckets"]) == 1
    assert sum(bucket["retries"] for bucket in history["buckets"]) == 1


@pytest.mark.parametrize("query", ["window=2h", "window=", "pipeline_id=a%00b", f"pipeline_id={'x' * 300}"])
@pytest.mark.parametrize("path", ["report", "history"])
async def test_what_is_no_window_and_no_pipeline_is_refused(api: httpx.AsyncClient, path: str, query: str) -> None:
    answer = await api.get(f"/api/metrics/{path}?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


async def test_targets_can_be_set(database_url: str, tracker: ExecutionTracker, pipeline_id: PipelineId) -> None:
    await record(tracker, pipeline_id, {"completed": 1, "failed": 1})
    targets = Targets.parse("success_rate=0.5, plan_churn=0.25")
    with running(Server(database_url, targets=targets)) as server:
        async with server.client() as api:
            metrics = by_key((await api.get("/api/metrics/report")).json())
    assert {key: (it["target"], it["met"]) for key, it in metrics.items()} == {
        "success_rate": (0.5, True),
        "compensation_rate": (0.10, False),
        "plan_churn": (0.25, False),
        "human_intervention_rate": (0.05, True),
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("succes_rate=0.9", "found 'succes_rate=0.9'; expected each of success_rate, compensation_rate"),
        ("plan_churn=1,plan_churn=2", "found 'plan_churn=2'; expected each of"),
        ("plan_churn", "plan_churn of IA_MODULES_TARGETS cannot be used: found ''; expected a number"),
        ("success_rate=95", "found 95; expected a fraction from 0 to 1"),
        ("plan_churn=-1", "found -1; expected a number of 0 or more"),
        ("plan_churn=nan", "found nan"),
    ],
)
def test_targets_that_are_none_are_named(text: str, found: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        Targets.parse(text)
    assert found in str(error.value)


def test_no_targets_are_the_usual_ones() -> None:
    assert Targets.parse("") == Targets.parse(" , ") == Targets()
