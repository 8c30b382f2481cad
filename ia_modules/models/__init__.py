"""Ids, statuses and frozen records of the rows, the same on SQLite and PostgreSQL: all of them are imported from here.

A *summary* is a row without its payloads, which is what lists and live updates carry; a *record* adds them.
"""

from ia_modules.models.changes import (
    Changes,
)
from ia_modules.models.clusters import ClusterNode, JoinedCluster, StepPlace, WarmPool
from ia_modules.models.executions import (
    Attribute,
    ClaimedExecution,
    ExecutionRecord,
    ExecutionSummary,
    Lease,
    LeasedExecution,
    LeftExecution,
    StalledExecution,
    cause_of,
)
from ia_modules.models.ids import (
    NO_ID,
    ExecutionId,
    PipelineId,
    RunPath,
    StepExecutionId,
    WorkerId,
    ids_beginning,
    is_id,
    new_id,
    sought_id,
)
from ia_modules.models.pipelines import (
    PipelineRecord,
    PipelineSummary,
    PipelineVersionRecord,
    RegisteredVersion,
    version_key,
)
from ia_modules.models.questions import (
    InteractionRecord,
    InteractionSummary,
    InteractionWithInput,
    ResponseRecord,
)
from ia_modules.models.records import (
    Json,
    JsonText,
    Record,
    Row,
    format_time,
    parse_time,
)
from ia_modules.models.steps import (
    AttemptRecord,
    LogRecord,
    StepExecutionRecord,
    StepSummary,
)
from ia_modules.models.words import (
    EFFECTS,
    GAP_LOGGER,
    SEVERITIES,
    Effect,
    ExecutionStatus,
    LogLevel,
    StepStatus,
    VersionOrigin,
    effect_text,
    may_have_effects,
)

__all__ = [
    "EFFECTS",
    "GAP_LOGGER",
    "NO_ID",
    "SEVERITIES",
    "AttemptRecord",
    "Attribute",
    "Changes",
    "ClaimedExecution",
    "ClusterNode",
    "Effect",
    "ExecutionId",
    "ExecutionRecord",
    "ExecutionStatus",
    "ExecutionSummary",
    "InteractionRecord",
    "InteractionSummary",
    "InteractionWithInput",
    "JoinedCluster",
    "Json",
    "JsonText",
    "Lease",
    "LeasedExecution",
    "LeftExecution",
    "LogLevel",
    "LogRecord",
    "PipelineId",
    "PipelineRecord",
    "PipelineSummary",
    "PipelineVersionRecord",
    "Record",
    "RegisteredVersion",
    "ResponseRecord",
    "Row",
    "RunPath",
    "StalledExecution",
    "StepExecutionId",
    "StepExecutionRecord",
    "StepPlace",
    "StepStatus",
    "StepSummary",
    "VersionOrigin",
    "WarmPool",
    "WorkerId",
    "cause_of",
    "effect_text",
    "format_time",
    "ids_beginning",
    "is_id",
    "may_have_effects",
    "new_id",
    "parse_time",
    "sought_id",
    "version_key",
]
