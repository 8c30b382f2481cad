"""The import path of the tracker's public names; the tracker itself is ``ia_modules.tracker``."""

from ia_modules.models import ExecutionRecord, ExecutionStatus, StepExecutionRecord, StepStatus
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.lists import ExecutionFilters, ExecutionPage, ExecutionStatistics
from ia_modules.tracker.recording import RecordedExecution, RecordedStep

__all__ = [
    "ExecutionFilters",
    "ExecutionPage",
    "ExecutionRecord",
    "ExecutionStatistics",
    "ExecutionStatus",
    "ExecutionTracker",
    "RecordedExecution",
    "RecordedStep",
    "StepExecutionRecord",
    "StepStatus",
]
