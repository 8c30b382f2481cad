"""What a step needs of the machine that runs it."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from ia_modules.payload import NAME_LIMIT_CHARACTERS
from ia_modules.pipeline.document.base import Document

Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Resources(Document):
    """What an attempt is given for itself while it runs, on a cluster that counts such things.

    Other keys are kept, and change nothing.

    Attributes:
        cpu, gpu: how many; parts of one may be shared.
        memory: bytes.
        custom: other things that nodes of the cluster are said to have, by name.
        required: it runs nowhere else, even where falling back to processes of the worker is allowed.
        runtime_env: the name of a file beside the pipeline's, with Ray's; a mapping means nothing, since it would be
            stored and shown.
    """

    model_config = ConfigDict(extra="allow")

    cpu: Amount | None = None
    gpu: Amount | None = None
    memory: Annotated[int, Field(ge=1)] | None = None
    custom: dict[Annotated[str, Field(min_length=1)], Amount] = Field(default_factory=dict)
    required: bool = False
    runtime_env: Annotated[str, Field(min_length=1)] | dict[str, Any] | None = None

    @property
    def runtime_env_file(self) -> str | None:
        """The name of a file; None: it says none."""
        return self.runtime_env if isinstance(self.runtime_env, str) else None

    @property
    def needs_cluster(self) -> bool:
        """Whether only a cluster can give what it asks for, or it says so."""
        return bool(self.gpu) or any(self.custom.values()) or self.required

    @property
    def named(self) -> list[str]:
        """The keys that are said and mean something."""
        file = () if self.runtime_env_file is None else ("runtime_env",)
        return [*(key for key in ("cpu", "gpu", "memory", "custom", "required") if key in self.model_fields_set), *file]

    @property
    def others(self) -> list[str]:
        """The keys that mean nothing."""
        mapping = {"runtime_env"} if isinstance(self.runtime_env, dict) else set[str]()
        return sorted(mapping | (self.model_extra or {}).keys())


class StepPool(Document):
    """A warm process: attempts of the steps that name it run there, and their objects stay between them.

    Attributes:
        max_concurrency: how many attempts run there at the same time; further ones wait.
        idle_seconds: how long it is kept when it has nothing to do.
    """

    name: Annotated[str, Field(min_length=1, max_length=NAME_LIMIT_CHARACTERS)]
    max_concurrency: Annotated[int, Field(ge=1, le=1_000)] = 1
    idle_seconds: Annotated[float, Field(gt=0, le=1e9)] = 300.0
