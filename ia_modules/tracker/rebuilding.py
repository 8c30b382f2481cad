"""Rows of executions whose output is stored as a reference, with the output: every door reads it here."""

from typing import Any

import orjson

from ia_modules.database.manager import Script, Statement
from ia_modules.models import PipelineVersionRecord, StepExecutionRecord
from ia_modules.paths import GRAPH
from ia_modules.pipeline.outputs import rebuilt_output
from ia_modules.pipeline.versions import definition_of
from ia_modules.tracker.batch import Query


def with_output(query: Query, row: dict[str, Any]) -> Script[dict[str, Any]]:
    """A row of an execution that has ``output_refs``, with its output under ``output_data``.

    Raises:
        StepConflict: its steps do not follow from the definition that it ran, so somebody else has changed rows.
    """
    if row["output_refs"] is None:
        return row
    params = {"execution_id": row["execution_id"]}
    (version,) = yield Statement(query("get_version_of_execution"), [params])
    steps = yield Statement(query("list_results"), [{**params, "within": GRAPH}])
    output = rebuilt_output(
        definition_of(PipelineVersionRecord.from_row(version)),
        orjson.loads(version["input_data"] or "null"),
        map(StepExecutionRecord.from_row, steps),
    )
    return {**row, "output_data": output}
