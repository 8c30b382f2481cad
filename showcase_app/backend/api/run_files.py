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
from showcase_app.backend.dependencies import Actor, Door
from showcase_app.backend.schemas.run_files import ImportedRunOut, ImportRequest

MOST_IMPORT_BYTES = 32 * 2**20 + 2**10
"""The largest body of an import: a file of 24 MiB in base64, and room for what stands around it."""

_NAME = "run.iarun"
_BYTES_AT_ONCE = 2**20
_ATTACHMENT = {"Content-Disposition": {"description": "A file name for it.", "schema": {"type": "string"}}}

router = APIRouter(prefix="/api/executions", tags=["executions"])


class RunFileResponse(StreamingResponse):
    media_type = "application/vnd.sqlite3"


@router.get(
    "/{execution_id}/run-file",
    summary="Export an execution as a run file",
    response_class=RunFileResponse,
    responses=described({404: "There is none with this id.", 200: _ATTACHMENT}),
)
async def export_run_file(
    client: Door,
    actor: Actor,
    execution_id: PathName,
    lineage: Annotated[bool, Query(description="The executions too that it comes from.")] = False,
    without: Annotated[list[Part] | None, Query(description="What is left out of it.")] = None,
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
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return RunFileResponse(_parts(folder, file), headers=headers)


@router.post("/import", summary="Import a run file", openapi_extra=takes(MOST_IMPORT_BYTES))
async def import_run_file(client: Door, actor: Actor, request: ImportRequest) -> ImportedRunOut:
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
            return ImportedRunOut.of(await client.import_run(file, actor=actor))
        except FileRefused as error:
            raise FileRefused("that was sent", error.found) from error


async def _parts(folder: TemporaryDirectory[str], file: Path) -> AsyncGenerator[bytes]:
    """The bytes of a file, which is deleted with its folder after the last of them."""
    with folder, file.open("rb") as content:
        while part := await asyncio.to_thread(content.read, _BYTES_AT_ONCE):
            yield part
