"""What the server refuses to do with a pipeline, and what to do instead."""

from ia_modules.errors import IAModulesError


class PipelineExists(IAModulesError):
    """The slug stands for another definition already."""

    def __init__(self, slug: str, current_version: int) -> None:
        super().__init__(
            f"Pipeline {slug!r} exists with another definition (version {current_version}). "
            f"Store this one as its next version with PUT /api/pipelines/{slug}, or choose another slug."
        )
        self.slug, self.current_version = slug, current_version


class PipelineVersionNotFound(IAModulesError):
    """The pipeline has no such version; ``version`` None: it has no definition at all."""

    def __init__(self, slug: str, version: int | None) -> None:
        found = "no definition" if version is None else f"no version {version}"
        super().__init__(f"Pipeline {slug!r} has {found}. See what there is: GET /api/pipelines/{slug}/versions.")
        self.slug, self.version = slug, version


class PipelineArchived(IAModulesError):
    """An archived pipeline starts no more executions."""

    def __init__(self, slug: str) -> None:
        super().__init__(f"Pipeline {slug!r} is archived. Store a version, an old one too, and it is active again.")
        self.slug = slug


class PipelineNotRunnable(IAModulesError):
    """There is no definition that a worker could run."""

    def __init__(self, slug: str) -> None:
        super().__init__(
            f"Pipeline {slug!r} has no definition on record for this: another program runs it. "
            "Start it there, or store a definition first."
        )
        self.slug = slug


class PipelineInUse(IAModulesError):
    """Executions of the pipeline have not ended."""

    def __init__(self, slug: str, active: int) -> None:
        super().__init__(
            f"Pipeline {slug!r} has {active} executions that have not ended. "
            "Cancel them first, or archive the pipeline: that keeps its history."
        )
        self.slug, self.active = slug, active


class SlugMismatch(IAModulesError):
    """A new version names another pipeline."""

    def __init__(self, slug: str, found: str) -> None:
        super().__init__(f"The definition has the slug {found!r}; expected {slug!r}. A slug is never changed.")
        self.slug, self.found = slug, found
