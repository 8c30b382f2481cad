"""Run files over HTTP: what is sent, and what came of it."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from ia_modules.tracker.run_file import RunFilePlan
from ia_modules.tracker.run_file_import import ImportedRun
from showcase_app.backend.schemas.base import Out


class ImportRequest(BaseModel):
    """A run file that is to be taken in."""

    model_config = ConfigDict(extra="forbid")

    run_file: str = Field(
        description="The bytes of the file, as `GET /api/executions/{execution_id}/run-file` answers them, in base64.",
        json_schema_extra={"contentEncoding": "base64"},
        examples=["U1FMaXRlIGZvcm1hdCAzAA=="],
    )


class ExportPlanOut(Out):
    """What a run file would have, if it was made now."""

    execution_id: str = Field(description="The run that it would be the file of.")
    runs: str = Field(description="How many runs it would have, in words.", examples=["1 run and 2 that it comes from"])
    inside: str = Field(
        description="What would be in it, in words.", examples=["inputs, outputs and 912 log lines, in full"]
    )

    @classmethod
    def of(cls, plan: RunFilePlan) -> Self:
        return cls(execution_id=plan.execution_id, runs=plan.runs, inside=plan.inside)


class ImportedRunOut(Out):
    """What came of taking in a run file."""

    execution_id: str = Field(description="The run that it is the file of.")
    imported: list[str] = Field(description="The executions that are new here; none: all of them were here.")
    already_here: list[str] = Field(description="Those that were, and are left as they are.")
    went_on: list[str] = Field(description="Of the imported ones, copies of runs that went on elsewhere.")
    lost_aliases: list[str] = Field(description="Callers' ids that stand for other executions here.")
    rows_sha256: str = Field(description="Of its rows, the same whichever database they came from.")
    inside: str = Field(
        description="What is in the file, in words.", examples=["inputs, outputs and 912 log lines, in full"]
    )

    @classmethod
    def of(cls, imported: ImportedRun) -> Self:
        return cls(
            execution_id=imported.execution_id,
            imported=[*imported.imported],
            already_here=[*imported.already_here],
            went_on=[*imported.went_on],
            lost_aliases=imported.lost_aliases,
            rows_sha256=imported.contents.rows_sha256,
            inside=imported.contents.inside,
        )
