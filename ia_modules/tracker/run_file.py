"""What a run file has: which rows, in which form and order, their digest, and what is inside in words. Pure.

One form for the rows of both databases: times are ISO 8601 text in UTC with microseconds, booleans 0 and 1, payloads
the text that they are stored as. The digest of rows is that of this form, one line for each row, without what is NULL,
so that a column which a later schema adds changes no digest. It names a pipeline by its slug and a version by the hash
of its content: ids and numbers are of one database only.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Self, cast, get_args

import orjson

from ia_modules.errors import InvalidArgument
from ia_modules.models import ExecutionId, ExecutionStatus, Row, StepStatus, format_time, is_id, parse_time
from ia_modules.transitions import cluster_in

Part = Literal["payloads", "logs"]
"""What a run file may leave out."""

PARTS: tuple[Part, ...] = get_args(Part)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedTable:
    """A table of which a run file has rows.

    Attributes:
        blank: columns that say where it ran, by whom it was run, or what others have to do with it: always NULL.
        payloads: columns that are NULL where payloads are left out.
    """

    name: str
    blank: frozenset[str] = frozenset()
    payloads: frozenset[str] = frozenset()


TABLES: tuple[CopiedTable, ...] = (
    CopiedTable(name="pipelines"),
    CopiedTable(name="pipeline_versions", blank=frozenset({"source_folder"})),
    CopiedTable(
        name="pipeline_executions",
        blank=frozenset({"owner", "failure_group"}),
        payloads=frozenset({"input_data", "output_data", "output_refs", "metadata", "overrides"}),
    ),
    CopiedTable(name="execution_aliases"),
    CopiedTable(name="execution_attributes"),
    CopiedTable(
        name="step_executions",
        blank=frozenset({"worker"}),
        payloads=frozenset({"input_data", "output_data", "metadata"}),
    ),
    CopiedTable(name="execution_logs"),
    CopiedTable(name="interactions", payloads=frozenset({"prompt", "data"})),
    CopiedTable(name="interaction_responses"),
    CopiedTable(name="audit_log"),
)
"""In the order in which they are written, so that what a row refers to is there before it."""

NOT_COPIED: Mapping[str, str] = {
    "event_receipts": "letters are between executions of one database",
    "events": "letters are between executions of one database",
    "execution_requests": "a request that was made of one database says nothing to another",
    "execution_traces": "how far its trace was handed on is of the processes of one database",
    "failure_groups": "what failures have in common, and what people say of it, is of one database",
    "holds": "of the limits of one database",
    "ia_migrations": "the file has those that made it",
    "imported_executions": "where a copy came from is of the database that it came to",
    "limits": "of one database",
    "step_places": "on which nodes and in which processes it ran is of no use elsewhere",
    "triggers": "they start executions of one database",
    "workers": "who ran it is of no use elsewhere",
}
"""Tables of which a run file has no row, with the reason."""

BOOLEANS = frozenset(
    {"is_active", "managed", "cancel_requested", "detached", "pinned", "what_if", "carries"}  # as PostgreSQL has them
)
IDS: Mapping[str, frozenset[str]] = {
    "pipelines": frozenset({"id"}),
    "pipeline_versions": frozenset({"pipeline_id"}),
    "pipeline_executions": frozenset(
        {"execution_id", "pipeline_id", "rerun_of", "parent_execution_id", "root_execution_id"}
    ),
    "execution_aliases": frozenset({"execution_id"}),
    "execution_attributes": frozenset({"execution_id"}),
    "step_executions": frozenset({"step_execution_id", "execution_id", "copied_from"}),
    "execution_logs": frozenset({"log_id", "execution_id", "step_execution_id"}),
    "interactions": frozenset({"interaction_id", "execution_id", "step_execution_id", "carried_from"}),
    "interaction_responses": frozenset({"interaction_id"}),
    "audit_log": frozenset({"audit_id"}),
}
JSON_COLUMNS: Mapping[str, frozenset[str]] = {
    "pipeline_versions": frozenset({"definition"}),
    "pipeline_executions": frozenset({"output_refs", "metadata", "input_data", "output_data", "overrides"}),
    "step_executions": frozenset({"routes", "input_refs", "usage", "metadata", "input_data", "output_data"}),
    "execution_logs": frozenset({"data"}),
    "interactions": frozenset({"ui_schema", "data", "assigned_users", "on_timeout"}),
    "interaction_responses": frozenset({"response"}),
    "audit_log": frozenset({"detail"}),
}
AROUND = ("parent_execution_id", "root_execution_id")
LINKS = ("rerun_of", *AROUND)
"""By which an execution goes back to others."""

WENT_ON_ELSEWHERE = "WentOnElsewhere"
"""The error type of a copy, and of what is in it, of a run that had not ended."""

_OPEN: Mapping[str, frozenset[str]] = {
    "pipeline_executions": frozenset(each.value for each in ExecutionStatus if not each.is_terminal),
    "step_executions": frozenset(each.value for each in StepStatus if not each.is_terminal),
    "interactions": frozenset({"pending"}),
}


@dataclass(slots=True)
class RowDigest:
    """SHA-256 of rows, each in the form that a file has it in."""

    _sha256: Any = field(default_factory=hashlib.sha256)

    def add(self, table: str, row: Row) -> None:
        there = {name: value for name, value in row.items() if value is not None}
        self._sha256.update(orjson.dumps([table, there], option=orjson.OPT_SORT_KEYS))
        self._sha256.update(b"\n")

    def hexdigest(self) -> str:
        return cast("str", self._sha256.hexdigest())


@dataclass(slots=True)
class PortableRows:
    """The rows of a file as every database has them: what they are the digest of.

    Pipelines and versions must be added before the executions that run them.
    """

    digest: RowDigest = field(default_factory=RowDigest)
    _slugs: dict[str, str] = field(default_factory=dict[str, str])
    _contents: dict[tuple[str, int], str] = field(default_factory=dict[tuple[str, int], str])

    def add(self, table: str, row: Row) -> None:
        """Add the next row of the file.

        Raises:
            KeyError: its pipeline or version was not added.
        """
        match table:
            case "pipelines":
                self._slugs[row["id"]] = row["slug"]
                row = {"slug": row["slug"]}
            case "pipeline_versions":
                self._contents[row["pipeline_id"], row["version"]] = row["content_hash"]
                slug = self._slugs[row["pipeline_id"]]
                row = {"slug": slug, "content_hash": row["content_hash"], "definition": row["definition"]}
            case "pipeline_executions":
                row = dict(row)
                pipeline_id, version = row.pop("pipeline_id"), row.pop("pipeline_version")
                row["slug"] = self._slugs[pipeline_id]
                row["content_hash"] = None if version is None else self._contents[pipeline_id, version]
            case _:
                pass
        self.digest.add(table, row)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFileContents:
    """What a run file has, as it says itself and as was counted.

    Attributes:
        execution_id: the run that it is the file of; others are there because that one comes from them.
        program: the version of ia_modules that wrote it.
        exported_at: as of when it stands there.
        rows_sha256: of its rows, the same whichever database they came from.
        rows: how many each table has.
    """

    execution_id: ExecutionId
    program: str
    left_out: tuple[Part, ...]
    exported_at: datetime
    rows_sha256: str
    rows: Mapping[str, int]

    @classmethod
    def of(cls, head: Row, rows: Mapping[str, int]) -> Self:
        """By the row of ``run_file``, and what was counted.

        Raises:
            InvalidArgument, ValueError: the row is not one that a file has.
        """
        return cls(
            execution_id=ExecutionId(head["execution_id"]),
            program=head["program"],
            left_out=parts_in(head["left_out"]),
            exported_at=parse_time(head["exported_at"]),
            rows_sha256=head["rows_sha256"],
            rows=rows,
        )

    @property
    def inside(self) -> str:
        """In words, such as ``inputs, outputs and 912 log lines, in full``."""
        return _inside(self.rows, self.left_out)

    @property
    def runs(self) -> str:
        """How many runs it has, in words, such as ``1 run and 2 that it comes from``."""
        return _runs(self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilePlan:
    """What a run file would have, if it was written now.

    Attributes:
        execution_id: the run that it would be the file of.
        rows: how many it would have of the tables that are counted in words.
    """

    execution_id: ExecutionId
    left_out: tuple[Part, ...]
    rows: Mapping[str, int]

    @property
    def inside(self) -> str:
        """In the words of :attr:`RunFileContents.inside`."""
        return _inside(self.rows, self.left_out)

    @property
    def runs(self) -> str:
        """In the words of :attr:`RunFileContents.runs`."""
        return _runs(self.rows)


def _inside(rows: Mapping[str, int], left_out: Iterable[Part]) -> str:
    without = set(left_out)
    payloads = "inputs, outputs" if "logs" not in without else "inputs and outputs"
    lines = _counted(rows["execution_logs"], "log line")
    match ("payloads" in without, "logs" in without):
        case False, False:
            text = f"{payloads} and {lines}, in full"
        case False, True:
            text = f"{payloads}, in full, and no log lines"
        case True, False:
            text = f"{lines}, in full, and no inputs or outputs"
        case _:
            text = "no inputs, outputs or log lines"
    questions = rows["interactions"]
    return f"{text}; {_counted(questions, 'question')} with who answered" if questions else text


def _runs(rows: Mapping[str, int]) -> str:
    others = rows["pipeline_executions"] - 1
    return f"1 run and {others:,} that it comes from" if others else "1 run"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def parts_in(text: str) -> tuple[Part, ...]:
    """The parts that ``payloads,logs`` names; none in an empty text.

    Raises:
        InvalidArgument: one of them is none.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in PARTS:
            raise InvalidArgument("part that is to be left out", repr(name)[:80], " or ".join(PARTS))
    return tuple(part for part in PARTS if part in names)


def row_of_file(table: CopiedTable, row: Row, left_out: Iterable[Part] = ()) -> dict[str, Any] | None:
    """A row of either database as a file has it; None: it is left out."""
    if "payloads" in left_out:
        if table.name == "execution_attributes":
            return None
        row = {name: None if name in table.payloads else value for name, value in row.items()}
        if table.name == "interaction_responses":
            row["response"] = "null"
    copied = {name: None if name in table.blank else _stored(value) for name, value in row.items()}
    if table.name == "step_executions" and cluster_in(copied.get("awaits")) is not None:
        copied["awaits"] = None  # that names a cluster, and so where it ran
    if table.name == "pipeline_executions":
        copied["pinned"] = 0  # what people keep is of one database
    return copied


def _stored(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return format_time(value) if isinstance(value, datetime) else value


def row_of_database(row: Row) -> dict[str, Any]:
    """A row of a file as either database takes it."""
    return {name: _typed(name, value) for name, value in row.items()}


def _typed(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name.endswith("_at"):
        return parse_time(value)
    return bool(value) if name in BOOLEANS else value


def as_copy(table: str, row: Row, contents: RunFileContents) -> dict[str, Any]:
    """A row of a file as the database has it that it comes to: nothing of it is open.

    What had not ended is ``cancelled``, as of when the file was made, and its error says that it went on elsewhere.
    """
    if table not in _OPEN or row["status"] not in _OPEN[table]:
        return dict(row)
    copied: dict[str, Any] = {**row, "status": "cancelled", "completed_at": format_time(contents.exported_at)}
    if table == "interactions":
        return copied
    copied |= {
        "error_type": WENT_ON_ELSEWHERE,
        "error_message": f"A copy of a run that went on elsewhere: it was {row['status']} when its run file was made.",
    }
    return copied | {"run_at": None} if table == "pipeline_executions" else copied


def problem_of(table: str, row: Row) -> str | None:
    """What a row of a file cannot be, in words; None: it is in the form that files are written in."""
    for name, value in row.items():
        if value is None:
            continue
        if name in IDS.get(table, ()) and not is_id(value):
            return f"{name} is no id"
        if name.endswith("_at") and not _holds(lambda text: format_time(parse_time(text)) == text, value):
            return f"{name} is no time"
        if name in JSON_COLUMNS.get(table, ()) and not _holds(lambda text: orjson.loads(text) is not Ellipsis, value):
            return f"{name} is no JSON"
        if isinstance(value, str) and "\0" in value:
            return f"{name} has a NUL character"
    return None


def _holds(is_right: Callable[[Any], bool], value: Any) -> bool:
    try:
        return is_right(value)
    except (ValueError, TypeError, AttributeError, OverflowError):
        return False
