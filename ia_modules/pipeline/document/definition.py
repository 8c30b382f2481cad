"""What a pipeline is: the models that every spelling of a pipeline file becomes. Its JSON Schema is made from them."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from ia_modules.errors import InvalidValue
from ia_modules.models import Effect
from ia_modules.payload import ID_LIMIT_CHARACTERS, NAME_LIMIT_CHARACTERS
from ia_modules.pipeline.document.base import Document, Many, Some
from ia_modules.pipeline.document.conditions import Always, Condition, StepCondition
from ia_modules.pipeline.document.fields import ConfigTemplate, SourceTemplate
from ia_modules.pipeline.document.human_input import QUESTION_KEYS, question_of_config
from ia_modules.pipeline.document.json_schema import JsonSchema
from ia_modules.pipeline.document.known_fields import BySchema
from ia_modules.pipeline.document.maps import Mapped
from ia_modules.pipeline.document.merge import EVERY_OTHER, FoldingRules, MergeRule, is_folding
from ia_modules.pipeline.document.resources import Resources, StepPool
from ia_modules.pipeline.document.retry import RetryPolicy
from ia_modules.pipeline.document.searchable import SearchableKeys
from ia_modules.pipeline.document.templates import Template, parse

Name = Annotated[str, Field(min_length=1)]
Id = Annotated[str, Field(min_length=1, max_length=ID_LIMIT_CHARACTERS)]
Title = Annotated[str, Field(min_length=1, max_length=NAME_LIMIT_CHARACTERS)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Iterations = Annotated[int, Field(ge=1)]

RouteRule = Literal["all", "first"]
"""Of a step's paths: ``all`` whose condition holds are taken, or the ``first`` one in file order."""


RunsIn = Literal["local", "process", "ray"]
"""Where the code of a step runs."""


class Parameter(Document):
    """One value of the pipeline's input.

    Attributes:
        default: taken when the input lacks the name; only if :attr:`has_default`, since null is a default too.
    """

    name: Name
    json_schema: JsonSchema | None = Field(default=None, alias="schema")
    required: bool = False
    default: Any = None
    description: str | None = None

    @property
    def has_default(self) -> bool:
        return "default" in self.model_fields_set

    @model_serializer(mode="wrap")
    def _keep_a_null_default(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {**handler(self), **({"default": self.default} if self.has_default else {})}


class InputDefinition(Document):
    """One value of a step's input.

    Attributes:
        required: the step fails when the source does not resolve; otherwise the name is left out.
    """

    name: Name
    source: SourceTemplate
    json_schema: JsonSchema | None = Field(default=None, alias="schema")
    required: bool = True
    description: str | None = None


class OutputDefinition(Document):
    """One value of a step's result, for readers; only ``output_schema`` is checked."""

    name: Name
    json_schema: JsonSchema | None = Field(default=None, alias="schema")
    required: bool = False
    description: str | None = None


class ErrorHandling(Document):
    """What happens when a step fails. None: the pipeline's default applies."""

    retry: RetryPolicy | None = None
    continue_on_error: bool | None = None
    enable_fallback: bool | None = None

    def over(self, defaults: "ErrorHandling") -> "ErrorHandling":
        """These settings, with the defaults for those that are None."""
        own = {name: getattr(self, name) for name in type(self).model_fields}
        return defaults.model_copy(update={name: value for name, value in own.items() if value is not None})


def _inputs(raw: Any) -> Any:
    return _listed(raw, "source")


def _parameters(raw: Any) -> Any:
    return _listed(raw, "default")


def _listed(raw: Any, key: str) -> Any:
    """A mapping ``name → value`` as a list of mappings with a name."""
    if not isinstance(raw, dict):
        return raw
    return [{"name": name, key: value} for name, value in cast(dict[str, Any], raw).items()]


def _named(raw: Any) -> Any:
    return {"name": raw} if isinstance(raw, str) else raw


class StepDefinition(Document):
    """A node of the graph.

    Attributes:
        type: ``task`` runs ``step_class`` of ``module``; ``human_input`` asks a person; ``condition`` only decides.
        inputs: the step's whole input; empty: its input is the state, in a map the item.
        map: it runs once for each entry of a list, and its result has what they gave; None: it runs once.
        conditions: of a ``condition`` step; all must hold for its paths of type ``condition``.
        route: how many of its paths are taken; None: as many as the flow says.
        max_iterations: how often it runs in one execution at most; None: as often as ``loop_config`` says.
        timeout_seconds: of one attempt.
        effect: what it does outside, which must be known before it is run again; None: not said.
        keep_stream: what it emits stays on record when it has completed.
        isolation: ``process``: its code runs in a process of its own; ``thread``: in that of its execution.
        executor: the same, by what runs it: ``process``, ``local``, or ``ray``: a process of a Ray cluster. None of the
            two: ``ray`` where its resources are only there, else ``process`` with a pool, else ``local``.
        resources: what ``ray`` gives it.
        pool: the warm process that it shares with others of this pipeline; None: each attempt has a fresh object.
    """

    also_spelled: ClassVar = {"class": "step_class"}
    ignored: ClassVar = frozenset({"parallel"})

    id: Id
    name: Title
    type: Literal["task", "human_input", "condition"] = "task"
    description: str | None = None
    step_class: Name | None = None
    module: Name | None = None
    config: ConfigTemplate = Field(default_factory=lambda: parse({}, "config"))
    inputs: Annotated[Many[InputDefinition], BeforeValidator(_inputs)] = ()
    map: Mapped | None = None
    outputs: Many[Annotated[OutputDefinition, BeforeValidator(_named)]] = ()
    conditions: Many[StepCondition] = ()
    route: RouteRule | None = None
    max_iterations: Iterations | None = None
    input_schema: JsonSchema | None = None
    output_schema: JsonSchema | None = None
    timeout_seconds: Seconds | None = None
    error_handling: ErrorHandling = ErrorHandling()
    effect: Effect | None = None
    keep_stream: bool = True
    isolation: Literal["thread", "process"] | None = None
    executor: RunsIn | None = None
    resources: Resources = Resources()
    pool: Annotated[StepPool | None, BeforeValidator(_named)] = None

    @classmethod
    def spelled_out(cls, data: dict[str, Any]) -> dict[str, Any]:
        step_id = data.get("id")
        name = step_id if isinstance(step_id, str) and step_id else "unnamed"
        data.setdefault("name", name[:NAME_LIMIT_CHARACTERS])
        config = data.get("config")
        if isinstance(config, dict):
            data["config"] = _take_error_handling(data, cast(dict[str, Any], config))
        if data.get("type") == "human_input":
            _move_question_into_config(data)
        return data

    @property
    def runs_in(self) -> RunsIn:
        """Where its code runs: in the process of its execution, in one beside it, or on a cluster."""
        if self.executor is not None:
            return self.executor
        if self.isolation is None and self.type == "task" and self.resources.needs_cluster:
            return "ray"
        return "process" if self.isolation == "process" or self.pool is not None else "local"

    @property
    def known_effect(self) -> Effect | None:
        """What it does outside, as far as that is known; a ``condition`` only decides."""
        return "pure" if self.type == "condition" else self.effect

    @field_validator("config", mode="after")
    @classmethod
    def _question_is_one(cls, config: Template, info: ValidationInfo) -> Template:
        """Turns a form into JSON Schema and checks the question, except for values with placeholders."""
        if info.data.get("type") != "human_input":
            return config
        filled_in = {
            key for key in QUESTION_KEYS & config.json.keys() if not parse(config.json[key], "config").is_literal
        }
        parsed = question_of_config(config.json, unknown=filled_in)
        has_schema = "ui_schema" in config.json.keys() - filled_in
        return parse({**config.json, **({"ui_schema": parsed.ui_schema} if has_schema else {})}, "config")

    @model_validator(mode="after")
    def _keys_fit_the_type(self) -> Self:
        has_class = self.step_class is not None or self.module is not None
        if self.type == "task" and (self.step_class is None or self.module is None):
            found = "no step_class" if self.step_class is None else "no module"
            raise InvalidValue(f"a step of type task with {found}", "the class that runs: step_class and module")
        if self.type != "task" and not self.keep_stream:
            raise InvalidValue(f"a step of type {self.type} with keep_stream", "keep_stream on a step of type task")
        for key, value in (("isolation", self.isolation), ("executor", self.executor), ("pool", self.pool)):
            if self.type != "task" and value is not None:
                raise InvalidValue(f"a step of type {self.type} with {key}", f"{key} on a step of type task")
        if (self.isolation, self.executor) in (("thread", "process"), ("thread", "ray"), ("process", "local")):
            found = f"isolation {self.isolation!r} with executor {self.executor!r}, which say two things"
            raise InvalidValue(found, "one of them, or both alike")
        if self.pool is not None and (self.isolation == "thread" or self.executor == "local"):
            found = "a pool on a step that runs in the worker itself"
            raise InvalidValue(found, "a pool with isolation: process, or with executor: process or ray")
        if self.type != "task" and has_class:
            raise InvalidValue(
                f"a step of type {self.type} with a class", "no step_class and no module", "Leave them out."
            )
        if self.map is not None and self.type == "condition":
            raise InvalidValue("a step of type condition with a map", "a map on a step of type task or human_input")
        if (self.type == "condition") is not bool(self.conditions):
            found = f"a step of type {self.type} {'with' if self.conditions else 'without'} conditions"
            raise InvalidValue(found, "conditions on a step of type condition, and only there")
        return self


def _take_error_handling(step: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    if "error_handling" not in config:
        return config
    if "error_handling" in step and step["error_handling"] != config["error_handling"]:
        raise InvalidValue("two different error_handling, on the step and under its config", "only one of them")
    step["error_handling"] = config["error_handling"]
    return {key: value for key, value in config.items() if key != "error_handling"}


def _move_question_into_config(step: dict[str, Any]) -> None:
    config: Any = step.get("config", {})
    if isinstance(config, dict):
        step["config"] = {**{key: step.pop(key) for key in sorted(QUESTION_KEYS) if key in step}, **config}


class Path(Document):
    """An edge, with its condition.

    Attributes:
        ends: ``execution``: taken, it completes the execution; None: it ends its branch alone, if it leads out.
    """

    also_spelled: ClassVar = {"from": "from_step", "to": "to_step"}

    from_step: Name
    to_step: Name
    condition: Condition = Always(type="always")
    ends: Literal["execution"] | None = None
    description: str | None = None

    @property
    def leads_out(self) -> bool:
        """True when it leads out of the pipeline, to ``end`` or ``end_*``."""
        return is_end(self.to_step)

    @property
    def ends_execution(self) -> bool:
        """True when the execution is completed as soon as it is taken, whatever else still runs."""
        return self.ends is not None


def is_end(target: str) -> bool:
    return target == "end" or target.startswith("end_")


class FlowDefinition(Document):
    """The edges.

    Attributes:
        route: how many paths of a step are taken, unless the step says otherwise.
    """

    also_spelled: ClassVar = {"transitions": "paths"}

    start_at: Name
    route: RouteRule = "all"
    paths: Many[Path] = ()


class LoopConfig(Document):
    """How often and how long a loop may run.

    Attributes:
        max_iterations: of one step, unless it has its own.
        max_loop_time_seconds: from a step's first iteration to the start of its last one.
        iteration_delay_seconds: before a step that a path leads back to starts again.
    """

    max_iterations: Iterations = 100
    max_loop_time_seconds: Seconds = 3600.0
    iteration_delay_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0


class PipelineDefinition(Document):
    """A pipeline.

    Attributes:
        format: ``0.2`` for files of those releases; None for all others.
        slug: the name it is registered under; made from ``name`` when the file has none.
        version: a label; the tracker numbers versions by itself.
        parameters: the contract of the input. Without any, ``{parameters.X}`` is any key of the input.
        outputs: the output, by name; empty: the input with all results (``ia_modules.pipeline.results.made_output``).
        merge: what the state has for a key that several results have, by key; ``*`` for every other key.
        searchable: the values of its input and metadata that its executions are found by, such as ``input.customer``.
        error_handling: the default of its steps.

    A file's ``$schema`` tells editors what to check; it is no content, and so no part of the model or its hash.
    """

    ignored: ClassVar = frozenset({"$schema"})

    name: Title
    slug: Annotated[Id, Field(pattern=r"^[^\s/]+$")]
    format: Literal["0.2"] | None = None
    description: str | None = None
    version: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    parameters: Annotated[Many[Parameter], BeforeValidator(_parameters)] = ()
    steps: Some[StepDefinition]
    flow: FlowDefinition
    outputs: dict[str, SourceTemplate] = Field(default_factory=dict)
    merge: dict[str, MergeRule] = Field(default_factory=dict)
    searchable: SearchableKeys = ()
    loop_config: LoopConfig = LoopConfig()
    error_handling: ErrorHandling = ErrorHandling()
    input_schema: JsonSchema | None = None
    output_schema: JsonSchema | None = None

    @classmethod
    def spelled_out(cls, data: dict[str, Any]) -> dict[str, Any]:
        name = data.get("name")
        data.setdefault("slug", slug_of(name if isinstance(name, str) else ""))
        for key in ("version", "format"):
            if isinstance(data.get(key), int | float):
                data[key] = str(data[key])
        return data

    @property
    def is_lenient(self) -> bool:
        """Whether declared schemas only warn, and the inputs of a step lie over the state."""
        return self.format == "0.2"

    @property
    def has_own_run(self) -> bool:
        """Whether a step, a parameter or a declared field is called ``run``: a bare ``run.iteration`` is of that then.

        ``{run.iteration}`` is that of the step run all the same.
        """
        names = {step.id for step in self.steps} | {each.name for each in self.parameters}
        names |= {each.name for step in self.steps for each in step.outputs}
        schemas = [schema for step in self.steps for schema in (step.input_schema, step.output_schema)]
        return "run" in names or any(
            "run" in BySchema(each, each).fields()[0] for each in (self.input_schema, *schemas)
        )

    def to_json(self) -> dict[str, Any]:
        """The canonical form: one spelling, without defaults. It loads to an equal definition.

        Whole numbers have no fraction: JavaScript writes them so, and saving there must not make another version.
        """
        return _one_number(self.model_dump(mode="json", exclude_defaults=True))

    @property
    def content_hash(self) -> str:
        """SHA-256 of the canonical form, in hexadecimal: equal for every spelling of the same pipeline."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def folding_rules(self) -> FoldingRules:
        """The keys of the state that several results make together."""
        return {key: rule for key, rule in self.merge.items() if is_folding(rule)}

    def merge_rule_of(self, key: str) -> MergeRule:
        return self.merge.get(key) or self.merge.get(EVERY_OTHER, "last")

    def error_handling_of(self, step: StepDefinition) -> ErrorHandling:
        """The settings of this step, with the pipeline's defaults."""
        return step.error_handling.over(self.error_handling)

    def route_of(self, step: StepDefinition) -> RouteRule:
        """How many paths of this step are taken."""
        return step.route or self.flow.route

    def max_iterations_of(self, step: StepDefinition) -> int:
        """How often this step runs in one execution at most."""
        return step.max_iterations or self.loop_config.max_iterations


def _one_number(value: Any) -> Any:
    """The value with 1.0 as 1, as far as floats are exact: equal values must have equal hashes."""
    match value:
        case dict():
            return {key: _one_number(inner) for key, inner in cast(dict[str, Any], value).items()}
        case list():
            return [_one_number(inner) for inner in cast(list[Any], value)]
        case float() if value.is_integer() and abs(value) <= 2**53:
            return int(value)
        case _:
            return value


def slug_of(name: str) -> str:
    """The name in lower case, without accents, one ``-`` for whatever is neither letter nor digit; cut to an id."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    slug = re.sub(r"[\W_]+", "-", plain.lower()).strip("-")[:ID_LIMIT_CHARACTERS]
    return slug.strip("-") or "pipeline"


def definition_schema() -> Mapping[str, Any]:
    """The JSON Schema of pipeline files in the first spelling of each key, which is what ``to_json`` writes."""
    schema = PipelineDefinition.model_json_schema()
    schema["properties"]["$schema"] = {"type": "string"}
    schema["required"].remove("slug")
    schema["$defs"]["StepDefinition"]["required"].remove("name")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
