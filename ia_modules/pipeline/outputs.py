"""How the output of an execution is stored: as it is, where the pipeline declares ``outputs``, or else as a reference.

Without ``outputs``, the output is made of the input and of results that are stored already. Its execution keeps the
size alone (``output_refs``), and whoever reads the output has it rebuilt, by the definition that the execution ran.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple, cast

import orjson

from ia_modules.errors import PayloadError, PipelineOutputError, Problem
from ia_modules.models import Json, JsonText, StepExecutionRecord
from ia_modules.payload import encode, size_bytes
from ia_modules.pipeline.document.definition import PipelineDefinition
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.recorded import recorded_results, recorded_runs, state_of
from ia_modules.pipeline.results import made_output

WHERE = "output of the execution"


class StoredOutput(NamedTuple):
    """An output as its execution keeps it: as it is or, with ``output_refs``, by its size alone."""

    text: JsonText
    output_refs: JsonText | None

    @property
    def output_data(self) -> JsonText | None:
        return self.text if self.output_refs is None else None


def stored_output(definition: PipelineDefinition, output: dict[str, Any]) -> StoredOutput:
    """The output of an execution that has completed, as it is stored.

    Raises:
        PipelineOutputError: it cannot be, being too large.
    """
    try:
        text = encode(output, WHERE)
    except PayloadError as wrong:
        problem = Problem(wrong.path, wrong.found, wrong.expected)
        raise PipelineOutputError(definition.name, [problem], by_schema=False) from wrong
    if definition.outputs:
        return StoredOutput(text, None)
    return StoredOutput(text, encode({"bytes": size_bytes(text)}, "output_refs"))


def referenced_bytes(output_refs: JsonText) -> int:
    """The size of an output that is stored as a reference, in bytes."""
    return cast("int", orjson.loads(output_refs)["bytes"])


def rebuilt_output(
    definition: PipelineDefinition, input_data: Json, records: Iterable[StepExecutionRecord]
) -> JsonText:
    """An output that is stored as a reference, byte for byte as it was when the execution completed.

    Args:
        definition: the version that it ran.
        records: all attempts of its steps, with their results.

    Raises:
        StepConflict: they do not follow from the definition.
    """
    records = list(records)
    runs = recorded_runs(record.as_attempt() for record in records)
    results = recorded_results(runs, {record.step_execution_id: record.output_data for record in records})
    return encode(
        made_output(state_of(Graph(definition), runs), cast("dict[str, Any]", input_data or {}), results), WHERE
    )
