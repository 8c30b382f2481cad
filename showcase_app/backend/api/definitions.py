"""The format of pipelines: its JSON Schema, and whether a definition is right."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from ia_modules.pipeline.document.definition import definition_schema
from showcase_app.backend.api.bodies import MOST_BODY_BYTES, takes
from showcase_app.backend.api.problems import described
from showcase_app.backend.dependencies import Pipelines
from showcase_app.backend.schemas.base import JsonObject, PipelineName
from showcase_app.backend.schemas.pipelines import AllowedCodeOut, ValidationOut, ValidationRequest

router = APIRouter(prefix="/api/definitions", tags=["pipelines"])


@router.get("/schema", summary="Read the format of pipelines")
async def get_definition_schema() -> JsonObject:
    """The JSON Schema of the canonical form."""
    return dict[str, Any](definition_schema())


@router.get("/code", summary="List the code of steps", responses=described({404: "There is no such pipeline."}))
async def list_allowed_code(
    pipelines: Pipelines,
    pipeline_id: Annotated[
        PipelineName | None, Query(description="Id or slug of a pipeline; modules beside its file count, too.")
    ] = None,
) -> AllowedCodeOut:
    """The modules that a definition may name on this server, and what is in them. Nothing is imported."""
    return await pipelines.allowed_code(pipeline_id)


@router.post(
    "/validate",
    summary="Look at a definition",
    responses=described({404: "There is no such pipeline."}),
    openapi_extra=takes(MOST_BODY_BYTES),
)
async def validate_definition(pipelines: Pipelines, request: ValidationRequest) -> ValidationOut:
    """Everything that is wrong with it, at once. Nothing is stored."""
    return await pipelines.validate(request.definition, slug_or_id=request.pipeline_id)
