"""Executions as files: one to take along, and one to take in."""

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from ia_modules.errors import FileRefused, InvalidArgument
from ia_modules.tracker.run_file import Part
from showcase_app.backend.api.bodies import takes
from showcase_app.backend.api.executions import PathName
from showcase_app.backend.api.problems import described
from showcase_app.backend.dependencies import Actor, Door, IdempotencyKey
from showcase_app.backend.schemas.run_files import ExportPlanOut, ImportedRunOut, ImportRequest

MOST_FILE_BYTES = 24 * 2**20
"""The largest file that is taken in over HTTP."""
_IMPORT_BODY_BYTES = MOST_FILE_BYTES * 4 // 3 + 2**10  # in base64, and what stands around it

_NAME = "run.iarun"
_BYTES_AT_ONCE = 2**20
_HEADERS = {
    "Content-Disposition": {"description": "A file name for it.", "schema": {"type": "string"}},
    "Rows-SHA256": {
        "description": "Of its rows, as it says itself: to tell that a file is the one that was sent.",
        "schema": {"type": "string"},
    },
}

router = APIRouter(prefix="/api/executions", tags=["executions"])

WithLineage = Annotated[bool, Query(description="The executions too that it comes from.")]
LeftOutParts = Annotated[list[Part] | None, Query(description="What is left out of it.")]


class RunFileResponse(StreamingResponse):
    media_type = "application/vnd.sqlite3"


@router.get(
    "/{execution_id}/run-file",
    summary="Export an execution as a run file",
    response_class=RunFileResponse,
    responses=described({404: "There is none with this id.", 200: _HEADERS}),
)
async def export_run_file(
    client: Door,
    actor: Actor,
    execution_id: PathName,
    lineage: WithLineage = False,
    without: LeftOutParts = None,
) -> RunFileResponse:
    """A file that `ia-modules serve FILE` shows anywhere and that other databases take in. Its export is on record.

    It has the definition, attempts, payloads, log lines and questions with who answered, in full unless they are left
    out, and nothing of the hosts and processes that ran it.
    """
    folder = TemporaryDirectory(prefix="ia_modules-")
    try:
        file = Path(folder.name) / _NAME
        contents = await client.export_run(execution_id, file, lineage=lineage, left_out=without or (), actor=actor)
    except BaseException:
        folder.cleanup()
        raise
    name = f"execution-{contents.execution_id}.iarun"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Rows-SHA256": contents.rows_sha256}
    return RunFileResponse(_parts(folder, file), headers=headers)


@router.get(
    "/{execution_id}/run-file/plan",
    summary="Read what a run file would have",
    responses=described({404: "There is none with this id."}),
)
async def plan_export(
    client: Door, execution_id: PathName, lineage: WithLineage = False, without: LeftOutParts = None
) -> ExportPlanOut:
    """What the export would write now, in words. Nothing is written, and nothing goes on record."""
    return ExportPlanOut.of(await client.plan_export(execution_id, lineage=lineage, left_out=without or ()))


@router.post("/import", summary="Import a run file", openapi_extra=takes(_IMPORT_BODY_BYTES))
async def import_run_file(
    client: Door, actor: Actor, request: ImportRequest, idempotency_key: IdempotencyKey = None
) -> ImportedRunOut:
    """Takes in its executions as copies: to read, compare and run again, never to go on with. Twice is as good as once.

    A definition that is new here may only use code that is allowed here.
    """
    try:
        content = await asyncio.to_thread(base64.b64decode, request.run_file, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidArgument("run_file", f"{len(request.run_file):,} characters", "base64") from None
    with TemporaryDirectory(prefix="ia_modules-") as folder:
        file = Path(folder) / _NAME
        await asyncio.to_thread(file.write_bytes, content)
        try:
            return ImportedRunOut.of(await client.import_run(file, idempotency_key=idempotency_key, actor=actor))
        except FileRefused as error:
            raise FileRefused("that was sent", error.found) from error


async def _parts(folder: TemporaryDirectory[str], file: Path) -> AsyncGenerator[bytes]:
    """The bytes of a file, which is deleted with its folder after the last of them."""
    with folder, file.open("rb") as content:
        while part := await asyncio.to_thread(content.read, _BYTES_AT_ONCE):
            yield part
