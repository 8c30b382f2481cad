"""Executions, their steps and log lines as the API tells them, read from the records and from nothing else.

Payloads are ``Any``: they pass through as they are, neither copied nor looked at, however large they are.
"""

from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import (
    BaseModel,
    Field,
    WithJsonSchema,
)

from ia_modules.models import (
    Effect,
    ExecutionRecord,
    ExecutionStatus,
    LogLevel,
    LogRecord,
    StepExecutionRecord,
    StepStatus,
    StepSummary,
)
from ia_modules.paths import path_of
from ia_modules.traces.ids import trace_id_of
from ia_modules.tracker.details import INLINE_BYTES, Stored, StoredExecution, StoredSteps
from ia_modules.tracker.levels import ItemGrid, RunPage
from ia_modules.tracker.lines import LogPage
from ia_modules.tracker.lists import (
    ExecutionPage,
    ExecutionStatistics,
)
from showcase_app.backend.schemas.base import JsonObject, Out, Time


def _as_schema(*, optional: dict[str, Any] | None = None, **properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {**properties, **(optional or {})}, "required": list(properties)}


_ROUTE = _as_schema(
    path={
        "anyOf": [{"type": "integer"}, {"type": "null"}],
        "description": "Its place in `flow.paths`; null: nobody answered in time.",
    },
    to_step={"type": "string"},
    taken={"type": "boolean"},
    why={"type": "string"},
)
Routes = Annotated[
    Any,
    WithJsonSchema(
        {
            "anyOf": [
                _as_schema(next={"const": "paths", "type": "string"}, paths={"type": "array", "items": _ROUTE}),
                _as_schema(next={"const": "retry", "type": "string"}, delay_seconds={"type": "number"}),
                _as_schema(next={"const": "stop", "type": "string"}),
                {"type": "null"},
            ],
            "description": "What follows from the attempt: paths, another attempt, or nothing. null: not decided yet.",
        }
    ),
]
InputRefs = Annotated[
    Any,
    WithJsonSchema(
        {
            "anyOf": [
                _as_schema(
                    parents={
                        "type": "array",
                        "items": {
                            "type": "array",
                            "prefixItems": [{"type": "string"}, {"type": "integer"}],
                            "minItems": 2,
                            "maxItems": 2,
                        },
                        "description": "The step runs it follows from: step id and iteration.",
                    },
                    state={
                        "type": "boolean",
                        "description": "Whether what they make, and not `input_data`, is its input.",
                    },
                    optional={
                        "edited": {
                            "enum": ["input", "output"],
                            "type": "string",
                            "description": "Somebody has put another one in the place of its own.",
                        },
                        "by": {"type": "string", "description": "Who did."},
                        "left_out": {
                            "type": "array",
                            "items": _as_schema(where={"type": "string"}, why={"type": "string"}),
                            "description": "Its inputs that did not resolve and need not, such as `inputs.topic`.",
                        },
                    },
                ),
                {"type": "null"},
            ]
        }
    ),
]


_NUMBER: dict[str, Any] = {"type": "integer"}
StepUsage = Annotated[
    Any,
    WithJsonSchema(
        {
            "anyOf": [
                {
                    "type": "array",
                    "items": _as_schema(
                        **{
                            "gen_ai.request.model": {"type": "string"},
                            "gen_ai.provider.name": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                            "calls": _NUMBER,
                            "gen_ai.usage.input_tokens": _NUMBER,
                            "gen_ai.usage.output_tokens": _NUMBER,
                            "gen_ai.usage.cache_read.input_tokens": _NUMBER,
                            "gen_ai.usage.reasoning.output_tokens": _NUMBER,
                            "cost.micros": {"anyOf": [_NUMBER, {"type": "null"}], "description": "null: not known."},
                            "cost.currency": {"type": "string"},
                            "cost.source": {"enum": ["reported", "computed", "unknown"], "type": "string"},
                        }
                    ),
                },
                {"type": "null"},
            ],
            "description": "Its calls of models, by model, provider and source of the cost; null: it told of none.",
        }
    ),
]


class ExecutionOut(Out):
    """An execution without its payloads."""

    execution_id: str = Field(examples=["0199c3f2-7b1e-7c41-9d0e-3f5a6b7c8d9e"])
    alias: str | None = Field(description="The caller's own id of it; null: it has none.", examples=["order-17"])
    pipeline_id: str
    pipeline_name: str = Field(examples=["Code review"])
    pipeline_version: int | None
    status: ExecutionStatus
    managed: bool = Field(description="Whether workers may claim it; False: the program that records it runs it.")
    trigger: str = Field(description="What started it.", examples=["page", "api", "cli", "rerun", "program"])
    priority: int
    run_at: Time | None
    owner: str | None = Field(description="The process that may write it.")
    epoch: int = Field(description="How often its owner has changed.")
    recoveries: int
    sequence: int = Field(description="Rises with every change.")
    cancel_requested: bool
    rerun_of: str | None
    total_steps: int = Field(description="As the program announced it; 0 = not known.")
    completed_steps: int
    failed_steps: int
    input_tokens: int | None = Field(
        description="What all of its attempts told of their calls of models, however they ended; null: nothing."
    )
    output_tokens: int | None
    cost_micros: int | None = Field(
        description="In millionths of the installation's currency, of calls whose cost is known; null: of none is it."
    )
    unpriced_calls: int | None = Field(description="Calls whose cost nobody knows; null: nothing was told.")
    error_type: str | None
    error_message: str | None = Field(description="In lists its first 500 characters.")
    failure_group: str | None = Field(
        description="What its failure has in common with others of its pipeline: `/api/failures/{pipeline_id}.{this}` "
        "says what. null: it has not failed, or did so before groups were kept."
    )
    failed_step: str | None = Field(description="The step that it failed for; null: it has not failed, or for no step.")
    cause: str | None = Field(
        description="Why it failed, without the sentence around it that names the step; null: nothing is on record.",
        examples=["ValueError: customer id missing"],
    )
    imported_at: Time | None = Field(description="When it came from a run file, as a copy; null: it is none.")
    rows_sha256: str | None = Field(description="Of the rows of that file; null: it is no copy.")
    went_on: bool | None = Field(
        description="Whether it had not ended when that file was made, and went on elsewhere; null: it is no copy."
    )
    created_at: Time
    started_at: Time | None
    completed_at: Time | None
    queue_seconds: float | None = Field(description="From being asked for to the start; null before the start.")
    duration_seconds: float | None = Field(description="From the start; null until it has ended.")


class StepPlaceOut(Out):
    """Where an attempt runs, or ran, on a Ray cluster."""

    cluster: str
    node: str
    pid: int
    resources: dict[str, float] = Field(
        description="What it has of the node, by Ray's names; memory in bytes.", examples=[{"CPU": 1, "GPU": 1}]
    )
    waited_seconds: float = Field(description="Until the cluster had that for it.")


class StepOut(Out):
    """One attempt of one iteration of one step, without its payloads."""

    step_execution_id: str
    execution_id: str
    within: str = Field(description="The path of the run that it is a part of; empty for the steps of the graph.")
    step_id: str
    step_name: str
    step_type: str
    iteration: int
    attempt: int
    retry_count: int = Field(description="Retries that the program made by itself inside this attempt.")
    status: StepStatus
    worker: str | None
    wake_at: Time | None = Field(description="It waits until then at most, or did; null: for no time.")
    awaits: str | None = Field(
        description="What it waits for beside its time, or did: `answer`. `ray:` and a cluster: where it runs, or ran."
    )
    effect: Effect | None = Field(
        description="What its step does outside, as it said when it began; null: not said, so it may have effects."
    )
    routes: Routes
    error_type: str | None
    error_message: str | None
    progress: float | None = Field(description="From 0 to 1.")
    progress_message: str | None
    copied_from: str | None
    input_tokens: int | None = Field(description="Of its own calls of models; null: it told of none.")
    output_tokens: int | None
    cost_micros: int | None
    unpriced_calls: int | None
    usage: StepUsage
    first_token_ms: int | None = Field(description="Until the first piece of the first call's answer came.")
    place: StepPlaceOut | None = Field(description="null: it does not run on a cluster, or not yet.")
    input_bytes: int
    output_bytes: int
    sequence: int
    created_at: Time
    started_at: Time | None
    completed_at: Time | None
    duration_seconds: float | None = Field(description="null until it has ended.")


class StepDetail(StepOut):
    """One attempt, with what went in, what came out, and its traceback.

    In an execution and in a page of steps, whatever of these has more than 65,536 bytes is null and named in
    ``omitted``; so is everything after the first 16 MiB of an answer. Asked for alone, an attempt comes whole.
    """

    input_data: Any
    input_refs: InputRefs
    output_data: Any
    metadata: Any
    traceback: str | None
    input_refs_bytes: int
    metadata_bytes: int
    traceback_bytes: int
    omitted: list[Literal["input_data", "output_data", "metadata", "input_refs", "traceback"]] = Field(
        description="What is there but null here; the route of the attempt has it."
    )

    @classmethod
    def of(cls, stored: Stored[StepExecutionRecord]) -> Self:
        return cls.model_validate(_fields_of(stored))


class StepInputOut(BaseModel):
    """What one attempt got."""

    step_input: Any


class StepPageOut(Out):
    """Some attempts, in the order in which they began. ``next_cursor`` asks for those after; null: there are none."""

    items: list[StepDetail]
    next_cursor: str | None

    @classmethod
    def of(cls, page: StoredSteps) -> Self:
        return cls(
            items=[StepDetail.of(step) for step in page.items],
            next_cursor=page.items[-1].record.step_execution_id if page.more else None,
        )


class RunOut(StepOut):
    """A run as its latest attempt stands."""

    path: str = Field(description="What is within it has this as `within`.", examples=["think#1/search#2"])

    @classmethod
    def of(cls, run: StepSummary) -> Self:
        path = path_of(run.within, run.step_id, run.iteration)
        return cls.model_validate(run.to_dict() | {"duration_seconds": run.duration_seconds, "path": path})


class RunPageOut(Out):
    """Some runs of one level. ``next_cursor`` asks for those after, as `after`; null: there are none now."""

    items: list[RunOut]
    next_cursor: str | None
    by_status: dict[StepStatus, int] | None = Field(
        description="How many runs the level has of each status that there is, whatever the filters. Null on all pages "
        "but the first."
    )

    @classmethod
    def of(cls, page: RunPage) -> Self:
        items = [RunOut.of(run) for run in page.items]
        by_status = None if page.by_status is None else dict(page.by_status)
        return cls(items=items, next_cursor=page.next_cursor, by_status=by_status)


class ItemGridOut(Out):
    """How the items of a map stand: a square for each, in the order of its list; of more than 2,000 one for some."""

    items: int = Field(
        description="How many there are, whether they have begun or not; 0: it is no map.", examples=[60]
    )
    per_square: int = Field(description="So many neighbours share a square; the last may have fewer.", examples=[1])
    statuses: list[StepStatus] = Field(description="Those that squares have.", examples=[["completed", "failed"]])
    squares: str = Field(
        description="A character for each square: the place in `statuses`, from 0, of the worst status in it; `-`: an "
        "item has not begun, and no other stands worse.",
        examples=["000100-"],
    )
    by_status: dict[StepStatus, int] = Field(description="How many items stand how, of those that have begun.")
    sequence: int = Field(description="Of the execution; all that has happened up to it is counted.")

    @classmethod
    def of(cls, grid: ItemGrid) -> Self:
        statuses = [status for status in StepStatus if status in grid.squares]
        letters = {status: str(place) for place, status in enumerate(statuses)}
        return cls(
            items=grid.items,
            per_square=grid.per_square,
            statuses=statuses,
            squares="".join("-" if status is None else letters[status] for status in grid.squares),
            by_status=dict(grid.by_status),
            sequence=grid.sequence,
        )


class InteractionOut(Out):
    """A question to a person."""

    interaction_id: str
    step_execution_id: str
    step_id: str
    status: Literal["pending", "answered", "expired", "cancelled"]
    prompt: str | None
    ui_schema: Any = Field(
        description="JSON Schema of the answer; a form is drawn from it.", json_schema_extra={"type": "object"}
    )
    assigned_users: list[str] | None = Field(description="Names of those who may answer; null or empty: of nobody.")
    assigned_role: str | None = Field(description="Whoever has this role may answer too; with neither, everybody may.")
    answers: int | None = Field(description="Of how many people it needs answers; null: of all `assigned_users`.")
    decided_by: str | None = Field(
        description="The field of an answer by which it is decided when so many agree on it; null: by their number."
    )
    deadline_at: Time | None = Field(description="null: it waits for ever.")
    created_at: Time
    completed_at: Time | None
    actor: str | None = Field(description="Who answered, the last of several; null until it is answered.")
    verified: bool = Field(description="Whether `actor` is the name of a key, and not only what was said.")
    answered_by: int = Field(description="How many people have answered so far.")
    sequence: int = Field(description="Rises with every change of the execution; says which row is the newer one.")


class ResponseOut(Out):
    """What one person answered, once; the newest revision of a person counts."""

    actor: str
    verified: bool = Field(description="Whether that is the name of a key, and not only what was said.")
    revision: int
    response: Any
    answered_at: Time


class ExecutionDetail(ExecutionOut):
    """An execution with its payloads and the first 1,000 attempts of its steps, in the order in which they began.

    A payload of more than 65,536 bytes is null and named in ``omitted``.
    """

    input_data: Any
    output_data: Any
    metadata: Any
    input_bytes: int
    output_bytes: int
    metadata_bytes: int
    omitted: list[Literal["input_data", "output_data", "metadata"]] = Field(
        description="What is there but null here; `/api/executions/{execution_id}/payloads` has it."
    )
    steps: list[StepDetail]
    more_steps: bool = Field(
        description="Whether there are others: `/api/executions/{execution_id}/steps`, "
        "with the `step_execution_id` of the last one here as its cursor."
    )
    overrides: Any = Field(None, description="What of single step runs was decided before they began, up to 64 KiB.")
    started_by: str | None = Field(
        description="Who asked for it: the name of a key, or what a program calls itself; null: not on record.",
        examples=["ann"],
    )
    traceparent: str | None = Field(description="The span of its caller that it was begun in; null: in none.")
    trace_id: str = Field(
        description="Of its trace, in hex: the one that it was begun in, else one of its own. It is there where what "
        "runs it writes traces.",
        examples=["0190f3c2a1b47c3d9e8f7a6b5c4d3e2f"],
    )
    trace_url: str | None = Field(description="Where people find it; null: the server does not know.")
    rerun_ids: list[str] = Field(description="The newest 20 executions that are re-runs of this one, newest first.")
    interactions: list[InteractionOut] = Field(description="In the order in which they were asked.")

    @classmethod
    def of(cls, read: StoredExecution, *, trace_url: str | None) -> Self:
        record = read.execution.record
        trace_id = f"{trace_id_of(record.execution_id, record.traceparent):032x}"
        return cls.model_validate(
            _fields_of(read.execution)
            | {
                "queue_seconds": read.execution.record.queue_seconds,
                "cause": read.execution.record.cause,
                "steps": [StepDetail.of(step) for step in read.steps.items],
                "more_steps": read.steps.more,
                "started_by": read.started_by,
                "trace_id": trace_id,
                "trace_url": None if trace_url is None else trace_url.replace("{trace_id}", trace_id),
                "rerun_ids": read.rerun_ids,
                "interactions": [InteractionOut.from_record(each) for each in read.interactions],
            }
        )


class LastGoodOut(Out):
    """What ran well before."""

    execution: ExecutionOut | None = Field(description="null: none of its pipeline has completed before it.")


class ExecutionPayloadsOut(BaseModel):
    """What went into an execution, what came out and what was noted about it, however large."""

    execution_id: str
    input_data: Any
    output_data: Any
    metadata: Any


def _fields_of(stored: Stored[ExecutionRecord] | Stored[StepExecutionRecord]) -> dict[str, Any]:
    """An answer's fields; its payloads are still to be put where None stands."""
    fields = stored.record.to_dict() | stored.sizes
    return fields | {"duration_seconds": stored.record.duration_seconds, "omitted": stored.omitted}


class ExecutionPageOut(Out):
    """Some executions, newest first. ``next_cursor`` asks for those below; null: there are none."""

    items: list[ExecutionOut]
    next_cursor: str | None
    searched: str | None = Field(
        description="What `q` was looked for in, in words; null without `q`.",
        examples=["The beginning of the id, pipelines, and errors of the newest 10,000 that failed."],
    )
    looked_back_to: Time | None = Field(
        description="What has no index was looked for in executions that were created after this, see `look_back`; "
        "null: in all."
    )

    @classmethod
    def of(cls, page: ExecutionPage, *, searched: str | None) -> Self:
        items = [ExecutionOut.from_record(item) for item in page.items]
        return cls(items=items, next_cursor=page.next_cursor, searched=searched, looked_back_to=page.looked_back_to)


class StatisticsOut(Out):
    """How the executions that are asked about stand. Each status is counted up to ``cap``."""

    total: int = Field(description="The sum of what was counted: at least so many when `capped` is not empty.")
    by_status: dict[ExecutionStatus, int]
    capped: list[ExecutionStatus] = Field(
        description="Those of which there are more than `cap`, or may be more than were found."
    )
    cap: int = Field(examples=[10_000])
    searched: str | None = Field(description="What `q` was looked for in, in words; null without `q`.")
    success_rate: float | None = Field(
        description="Completed among the newest 1,000 that completed or failed; null when there are none."
    )
    median_seconds: float | None = Field(description="Of the newest 1,000 that completed; null when there are none.")
    looked_back_to: Time | None = Field(
        description="What has no index was looked for in executions that were created after this; null: in all."
    )

    @classmethod
    def of(cls, found: ExecutionStatistics, *, searched: str | None) -> Self:
        return cls.model_validate(found.to_dict() | {"searched": searched})


class LogOut(Out):
    """A line that a step wrote, or the program itself (``step_execution_id`` null)."""

    log_id: str
    execution_id: str
    within: str = Field(description="Its attempt's.")
    step_execution_id: str | None
    level: LogLevel
    logger: str | None = Field(
        description="Of Python's logging its name, `stdout` of what was printed; null: it was logged for the record. "
        "Of level `output` it is the channel."
    )
    message: str
    data: Any
    data_omitted: bool = Field(description="`data` has more than 65,536 bytes and is null here.")
    logged_at: Time
    sequence: int

    @classmethod
    def of(cls, line: LogRecord) -> Self:
        omitted = line.data is not None and len(orjson.dumps(line.data)) > INLINE_BYTES
        return cls.model_validate(line.to_dict() | {"data_omitted": omitted} | ({"data": None} if omitted else {}))


class LogPageOut(Out):
    """Some lines, oldest first. ``next_cursor`` asks for those after; null: there are none now."""

    items: list[LogOut]
    next_cursor: str | None
    left_out: int | None = Field(
        description="So many lines were left out of the record, of this level or more severe, whatever `q`: an attempt "
        "keeps its first and its last. Each gap is a line of the logger `ia_modules.left_out`, which any `q` finds. "
        "Null on all pages but the first."
    )

    @classmethod
    def of(cls, page: LogPage) -> Self:
        items = [LogOut.of(line) for line in page.items]
        return cls(items=items, next_cursor=page.next_cursor, left_out=page.left_out)


class ExportedExecution(ExecutionOut):
    """An execution with its payloads, however large."""

    input_data: Any
    output_data: Any
    metadata: Any


class ExportedStep(StepOut):
    """One attempt with its payloads, however large."""

    input_data: Any
    input_refs: InputRefs
    output_data: Any
    metadata: Any
    traceback: str | None


class ExportedInteraction(InteractionOut):
    """A question to a person, and the answer."""

    execution_id: str
    pipeline_id: str
    pipeline_name: str
    pipeline_version: int | None
    data: Any
    on_timeout: Any
    response: Any
    responses: list[ResponseOut]


class ExportOut(Out):
    """Everything on record about an execution, in one file."""

    execution: ExportedExecution
    definition: JsonObject | None = Field(description="The version it ran; null when none is on record.")
    steps: list[ExportedStep]
    interactions: list[ExportedInteraction]
    logs: list[LogOut] = Field(description="With their whole data: nothing is omitted here.")
