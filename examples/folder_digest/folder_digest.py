"""Hash and count every file of a folder, a few at a time, with each file on record as a step while it is read.

An ordinary program; what records it is the tracker and two `async with`. Run it, and look at it from another shell:

    python examples/folder_digest/folder_digest.py --folder . --pause-seconds 0.5
    ia-modules executions show
"""

import argparse
import asyncio
import hashlib
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import ia_modules
from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionId
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.tracker.recording import RecordedExecution

AT_ONCE = 4
CHUNK_BYTES = 65_536
NOT_READ = {"__pycache__", "node_modules"}


@dataclass(frozen=True)
class Digest:
    """What a file's step results in."""

    sha256: str
    lines: int
    bytes: int


async def record_digest(
    tracker: ExecutionTracker, pipeline_id: str, folder: Path, *, pause_seconds: float = 0.0
) -> ExecutionId:
    """Digest a folder as one execution; returns its id.

    Args:
        pause_seconds: added to every file, so that one can watch.
    """
    files = files_of(folder)
    async with tracker.execution(
        pipeline_id,
        pipeline_name="Folder digest",
        input_data={"folder": str(folder), "files": len(files)},
        total_steps=len(files),
        metadata={"program": Path(__file__).name, "at_once": AT_ONCE},
    ) as execution:
        await execution.log(f"{len(files)} files to read, {AT_ONCE} at a time")
        turn = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            work = [tasks.create_task(digest_step(execution, turn, folder, file, pause_seconds)) for file in files]
        digests = [task.result() for task in work]
        execution.output = {
            "files": len(digests),
            "lines": sum(digest.lines for digest in digests),
            "bytes": sum(digest.bytes for digest in digests),
            "sha256": hashlib.sha256("".join(digest.sha256 for digest in digests).encode()).hexdigest(),
        }
        await execution.log("every file is read", data=execution.output)
    return execution.id


async def digest_step(
    execution: RecordedExecution, turn: asyncio.Semaphore, folder: Path, file: Path, pause_seconds: float
) -> Digest:
    """Digest one file when it is its turn; the step begins then, not before."""
    name = file.relative_to(folder).as_posix()
    async with turn, execution.step(name, step_type="digest", input_data={"file": name}) as step:
        await step.progress(0.5, "reading")
        digest = await asyncio.to_thread(digest_of, file)
        await asyncio.sleep(pause_seconds)
        if digest.lines == 0:
            await step.log("the file has no lines", level="warning")
        step.output = asdict(digest)
    return digest


def digest_of(file: Path) -> Digest:
    """Read a file once, piece by piece."""
    checksum = hashlib.sha256()
    lines = size_bytes = 0
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK_BYTES):
            checksum.update(chunk)
            lines += chunk.count(b"\n")
            size_bytes += len(chunk)
    return Digest(checksum.hexdigest(), lines, size_bytes)


def files_of(folder: Path) -> list[Path]:
    """Every file below a folder, in order; not what is hidden or was made by tools."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") or part in NOT_READ for part in path.relative_to(folder).parts)
    )


async def main() -> None:
    options = parse_options()
    async with DatabaseManager(options.db) as database, ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline(
            "folder-digest", "Folder digest", description="SHA-256 and lines of every file of a folder."
        )
        for _ in range(options.repeat):
            execution_id = await record_digest(
                tracker, pipeline_id, options.folder.resolve(), pause_seconds=options.pause_seconds
            )
            print(f"recorded {execution_id}", flush=True)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Hash and count every file of a folder, and put it on record.")
    default = os.environ.get("DATABASE_URL") or "sqlite:///ia_modules.db"
    parser.add_argument("--db", default=default, metavar="URL", help="where to record (default: ia_modules.db)")
    parser.add_argument("--folder", type=Path, default=Path(ia_modules.__file__).parent, help="what to read")
    parser.add_argument("--pause-seconds", type=float, default=0.0, help="added to every file, to watch it")
    parser.add_argument("--repeat", type=int, default=1, help="how often")
    return parser.parse_args()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):  # what was under way is on record as cancelled
        asyncio.run(main())
