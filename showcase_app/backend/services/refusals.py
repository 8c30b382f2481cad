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
