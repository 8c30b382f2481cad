"""Pipelines, their versions and graphs as the API tells them, and what it takes to store one."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ia_modules.models import ExecutionStatus, VersionOrigin
from showcase_app.backend.schemas.base import LARGEST_CURSOR, JsonObject, Out, PipelineName, Time

_EXAMPLE = {
    "name": "Greeting",
    "slug": "greeting",
    "parameters": [{"name": "who", "schema": {"type": "string"}, "default": "world"}],
    "steps": [{"id": "greet", "module": "my_company.steps", "step_class": "Greet"}],
    "flow": {"start_at": "greet"},
}


class RecentExecutionOut(Out):
    """A bar of the strip that shows how a pipeline did lately."""

    execution_id: str
    status: ExecutionStatus
    created_at: Time
    started_at: Time | None
    completed_at: Time | None
    duration_seconds: float | None


class PipelineOut(Out):
    """A pipeline, and how it did lately."""

    id: str
    slug: str = Field(examples=["code-review"])
    name: str = Field(examples=["Code review"])
    description: str | None
    current_version: int | None
    is_active: bool = Field(description="False: archived.")
    runnable: bool = Field(
        description="Whether it has a definition whose code may be used and is found here, as a worker would find it."
    )
    step_count: int = Field(description="Steps of the current definition; 0 without one.")
    created_at: Time
    updated_at: Time
    recent: list[RecentExecutionOut] = Field(description="The newest 30 executions, oldest first.")
    success_rate: float | None = Field(
        description="Completed among the newest 100 that completed or failed; null when there are none."
    )
    p50_seconds: float | None = Field(description="Of those of them that completed; null when there are none.")
    p95_seconds: float | None
    active: int = Field(description="Executions that have not ended, counted up to 10,000.")
    beside: list[int] = Field(
        description="Versions that were offered while the current one stayed, the newest first; nobody has chosen yet."
    )


class PipelinePageOut(Out):
    """Some pipelines, by slug. ``next_cursor`` asks for those after; null: there are none."""

    items: list[PipelineOut]
    next_cursor: str | None


class RegisteredFileOut(Out):
    """A pipeline file, and what it held when it was last registered."""

    host: str
    path: str
    version: int | None
    registered_at: Time


class StoredBesideOut(Out):
    """A version that was offered while another stayed current, and that nobody has decided on."""

    version: int
    origin: VersionOrigin
    author: str | None
    host: str | None = Field(description="Of the file; null: it came from none.")
    path: str | None
    stored_at: Time


class DefinitionOwnerOut(Out):
    """Who made the current version current, and what else was offered."""

    origin: VersionOrigin | None = Field(
        description="`file`: it is followed when it changes, until somebody chooses another version; null: nobody said."
    )
    author: str | None
    newest_version: int = Field(description="The highest number of its versions; 0: there is none.")
    files: list[RegisteredFileOut] = Field(description="By host and path, the newest 20 first.")
    beside: list[StoredBesideOut] = Field(
        description="Versions in conflict with the current one, the newest first; choosing any version decides it."
    )


class PipelineDetail(PipelineOut):
    """A pipeline with one of its definitions, and what a form for a run is drawn from."""

    owner: DefinitionOwnerOut
    version: int | None = Field(description="Which definition this is; null: there is none.")
    version_origin: VersionOrigin | None = Field(description="Where this definition came from; null: nobody said.")
    version_author: str | None
    version_note: str | None
    source_folder_known: bool = Field(description="Whether modules beside the file it came from may be used.")
    definition: JsonObject | None
    input_schema: JsonObject | None = Field(description="JSON Schema of the input.")
    default_input: JsonObject = Field(description="The defaults of its parameters.")
    last_input: JsonObject | None = Field(
        description="What the newest execution was given; null before the first, and beyond 65,536 bytes."
    )


class PipelineVersionOut(Out):
    version: int
    content_hash: str
    created_at: Time
    is_current: bool
    origin: VersionOrigin | None = Field(description="Where it came from; null: nobody said.")
    author: str | None
    note: str | None
    definition: JsonObject | None = Field(description="null: what is stored is no object.")


class PipelineVersionPageOut(Out):
    """Some versions, newest first. ``next_cursor`` asks for those before; null: there are none."""

    items: list[PipelineVersionOut]
    next_cursor: str | None


class GraphNode(Out):
    """A step, as it is drawn."""

    id: str
    name: str
    type: Literal["task", "human_input", "condition"]
    description: str | None
    module: str | None
    step_class: str | None
    map_over: str | None = Field(
        description="The list for each entry of which it runs, as the definition says; null: it runs once.",
        examples=["{steps.list.output.files}"],
    )
    max_iterations: int = Field(description="How often it may run in one execution; 1 outside of loops.")
    retry_max_attempts: int = Field(description="1: it is not tried again.")
    timeout_seconds: float | None
    has_fallback: bool = Field(description="Whether its fallback runs when it failed.")
    continues_on_error: bool = Field(description="Whether the pipeline goes on when it failed.")


class GraphEdge(Out):
    """A way from a step to the next."""

    index: int | None = Field(
        description="Its place in `flow.paths`, as in the `routes` of a step execution; null: for when nobody answers."
    )
    source: str
    target: str = Field(description="The id of a step, or `end` or `end_…`.")
    label: str = Field(description="When it is taken, in words; empty for always.", examples=["score > 0.5"])
    order: int | None = Field(
        description="Where the first that holds is taken, its place among those, from 1; null: all that hold are, or "
        "it is taken when no other is."
    )
    ends_execution: bool = Field(description="Whether the execution is completed as soon as it is taken.")
    is_back_edge: bool = Field(description="Whether it closes a loop.")


class GraphOut(Out):
    pipeline_id: str
    version: int
    start_at: str
    nodes: list[GraphNode]
    edges: list[GraphEdge]
    merge_rules: str = Field(
        description="How results become the state, in words; empty: each is laid over what was there.",
        examples=["messages extend, every other key last"],
    )


Note = Annotated[str, Field(min_length=1, max_length=500)]


class NewPipelineRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    definition: JsonObject = Field(
        description="A pipeline in any spelling of the format; `/api/definitions/schema` has the canonical one.",
        examples=[_EXAMPLE],
    )
    note: Note | None = Field(None, description="What it is for; kept with a version that is new.")


class NewVersionRequest(NewPipelineRequest):
    base_version: int | None = Field(
        None, ge=1, le=LARGEST_CURSOR, description="The version that it was made from; null: do not look."
    )
    if_stale: Literal["refuse", "beside"] = Field(
        "refuse",
        description="Where `base_version` is not the current version any more: refuse it, or store it beside that one.",
    )


class RunOnceRequest(NewPipelineRequest):
    input_data: JsonObject | None = Field(None, description="Its input; null: the defaults of the parameters.")


class CurrentVersionRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, le=LARGEST_CURSOR, description="One of its versions.", examples=[7])
    base_version: int | None = Field(
        None, ge=1, le=LARGEST_CURSOR, description="Refuse unless this is the current version; null: do not look."
    )


class ValidationRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    definition: Any = Field(description="The document to check: any JSON.", examples=[_EXAMPLE])
    pipeline_id: PipelineName | None = Field(
        None,
        description="Id or slug of the pipeline that it would be a version of: modules beside its file may be used.",
    )


class DefinitionProblem(Out):
    path: str = Field(description="JSON path into the definition.", examples=["$.steps[0].type"])
    detail: str = Field(examples=["found 'tsk'; expected one of 'task', 'human_input', 'condition'."])


class ValidationOut(Out):
    """Whether a definition could be stored, and everything that is wrong with it."""

    valid: bool
    problems: list[DefinitionProblem]
    warnings: list[DefinitionProblem] = Field(description="What does not keep it from being stored.")
    graph: GraphOut | None = Field(
        description="Its graph, also where its code is not there, with the version 0; null: it has none."
    )
    input_schema: JsonObject | None = Field(description="JSON Schema of its input; null: it cannot be stored.")
    default_input: JsonObject = Field(description="The defaults of its parameters.")


class OfferedNameOut(Out):
    name: str
    description: str | None
    fields: list[str] = Field(description="Of its result, as far as its source says.")


class OfferedModuleOut(Out):
    """A module, with the public classes and functions that its source has."""

    name: str
    is_beside: bool = Field(description="It lies beside the pipeline's file.")
    names: list[OfferedNameOut]


class AllowedCodeOut(Out):
    """The step code that a definition may name on this server."""

    patterns: list[str] = Field(
        description="Names of modules that are allowed, with * for any; those beside the file are too."
    )
    modules: list[OfferedModuleOut] = Field(description="At most 200 of them, as far as their source can be read.")
