"""What failed alike, and what people say of it."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import AfterValidator, StringConstraints

from ia_modules.payload import ID_LIMIT_CHARACTERS
from showcase_app.backend.api.addresses import AS_SENT
from showcase_app.backend.api.problems import described
from showcase_app.backend.dependencies import Actor, Door, IdempotencyKey
from showcase_app.backend.schemas.base import TimeParameter, storable
from showcase_app.backend.schemas.failures import FailureOut, FailurePageOut, FailureQuery, MendRequest

router = APIRouter(prefix="/api/failures", tags=["failures"])

_NOT_FOUND = described({404: "No failures are known by this id."})

FailureName = Annotated[
    str, StringConstraints(min_length=1, max_length=ID_LIMIT_CHARACTERS + 20), AfterValidator(storable)
]
FailurePathId = Annotated[
    FailureName,
    AS_SENT,
    Path(description="`{pipeline}.{failure_group}`, the pipeline by its slug or its id, percent-encoded."),
]


@router.get("", summary="List failures in groups", responses=described({404: "There is no such pipeline."}))
async def list_failures(client: Door, query: Annotated[FailureQuery, Query()]) -> FailurePageOut:
    """What failed alike since a time: how often, on which versions, when first and last, with an example."""
    page = await client.failures(pipeline=query.pipeline_id, since=query.since, state=query.state, limit=query.limit)
    return FailurePageOut.from_record(page)


@router.get("/{failure_id}", summary="Read a group of failures", responses=_NOT_FOUND)
async def get_failure(
    client: Door,
    failure_id: FailurePathId,
    since: Annotated[
        TimeParameter | None, Query(description="What failed at this time or later is counted; null: seven days ago.")
    ] = None,
) -> FailureOut:
    """One group. Its executions: `/api/executions?pipeline_id=…&failure_group=…`."""
    return FailureOut.from_record(await client.failure(failure_id, since=since))


@router.post("/{failure_id}/mute", summary="Mute a group of failures", responses=_NOT_FOUND)
async def mute_failure(
    client: Door, actor: Actor, failure_id: FailurePathId, idempotency_key: IdempotencyKey = None
) -> FailureOut:
    """It is known, and needs nobody, until it is unmuted."""
    await client.mute_failure(failure_id, idempotency_key=idempotency_key, actor=actor)
    return FailureOut.from_record(await client.failure(failure_id))


@router.post("/{failure_id}/unmute", summary="Open a group of failures again", responses=_NOT_FOUND)
async def unmute_failure(
    client: Door, actor: Actor, failure_id: FailurePathId, idempotency_key: IdempotencyKey = None
) -> FailureOut:
    """It is open, whatever was said of it before."""
    await client.unmute_failure(failure_id, idempotency_key=idempotency_key, actor=actor)
    return FailureOut.from_record(await client.failure(failure_id))


@router.post(
    "/{failure_id}/mended",
    summary="Mark a group of failures as mended",
    responses=described({404: "No failures are known by this id, or the pipeline has no such version."}),
)
async def mend_failure(
    client: Door,
    actor: Actor,
    failure_id: FailurePathId,
    request: MendRequest,
    idempotency_key: IdempotencyKey = None,
) -> FailureOut:
    """It is mended by this version, and open again when that or a later one fails so after this."""
    await client.mend_failure(failure_id, request.version, idempotency_key=idempotency_key, actor=actor)
    return FailureOut.from_record(await client.failure(failure_id))
