"""Records of pipelines and of their versions."""

from datetime import datetime

from ia_modules.models.ids import ExecutionId, PipelineId
from ia_modules.models.records import Json, Record
from ia_modules.models.words import ExecutionStatus, VersionOrigin


class PipelineRecord(Record, kw_only=True, frozen=True):
    """A pipeline: a name that executions are recorded under. ``current_version`` is None without a definition."""

    id: PipelineId
    slug: str
    name: str
    description: str | None
    current_version: int | None
    is_active: bool
    created_at: datetime
    updated_at: datetime


class PipelineSummary(PipelineRecord, kw_only=True, frozen=True):
    """A pipeline with its newest execution; all three are None before the first."""

    last_execution_id: ExecutionId | None
    last_status: ExecutionStatus | None
    last_created_at: datetime | None


class PipelineVersionRecord(Record, kw_only=True, frozen=True):
    """One definition of a pipeline.

    Attributes:
        source_folder: the folder of its file and modules when it was registered.
        origin, author, note: where it came from, who made it and what for; None: nobody said.
    """

    pipeline_id: PipelineId
    version: int
    definition: Json
    content_hash: str
    source_folder: str | None
    created_at: datetime
    origin: VersionOrigin | None = None
    author: str | None = None
    note: str | None = None


def version_key(pipeline_id: PipelineId, version: int | None) -> str:
    """Names a version where a claim leaves versions to others."""
    return f"{pipeline_id}:{version or 0}"


class RegisteredVersion(Record, kw_only=True, frozen=True):
    """A pipeline, and which of its versions a definition is; None without a definition.

    ``current_version`` runs when no other version is requested; None when the pipeline has none. ``stored_beside``: it
    was offered, another version stays current, and that is news.
    """

    pipeline_id: PipelineId
    version: int | None
    current_version: int | None
    stored_beside: bool = False
