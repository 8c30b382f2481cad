"""A step that gives back what it gets."""

from typing import Any

from ia_modules.pipeline.core import Step


class Echo(Step):
    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        return data
