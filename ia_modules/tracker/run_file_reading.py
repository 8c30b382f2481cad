"""Opens run files: looks at every row before anything of them is used, and brings older ones up to date in a copy."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ia_modules.database.manager import DatabaseManager
from ia_modules.database.new_file import migrate_file
from ia_modules.database.untrusted_file import UntrustedFile
from ia_modules.errors import DatabaseError, FileRefused, InvalidArgument
from ia_modules.models import JsonText, Row
from ia_modules.payload import content_hash
from ia_modules.tracker.run_file import TABLES, PortableRows, RowDigest, RunFileContents, problem_of

_NOT_ITS_HASH = "its rows are not those that it was written with: the hash in it is another one"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedRunFile:
    """A run file that was looked at and found to be right.

    Attributes:
        file: where its rows are read: the file itself, or a copy of it with this program's schema.
        contents: what is in it.
    """

    file: Path
    contents: RunFileContents

    def database(self) -> DatabaseManager:
        """A manager that reads it and cannot write; the caller opens and closes it."""
        return DatabaseManager(f"sqlite:///{self.file}", untrusted=True)

    def definitions(self) -> list[tuple[str, str, JsonText]]:
        """Slug, hash and text of each definition that its runs had. Blocks its thread.

        Raises:
            FileRefused: the file was changed since it was opened.
        """
        with UntrustedFile(self.file) as file:
            slugs = {row["id"]: row["slug"] for row in file.rows_of("pipelines")}
            versions = list(file.rows_of("pipeline_versions"))
        return [(slugs[row["pipeline_id"]], row["content_hash"], JsonText(row["definition"])) for row in versions]


@contextmanager
def open_run_file(path: Path) -> Generator[OpenedRunFile]:
    """A run file, for as long as the block lasts. It is not changed; one of an older program is copied to be.

    Blocks its thread; :func:`opened_run_file` is the same on an event loop.

    Raises:
        FileRefused: it is damaged, was changed, is of a newer program, or is no run file.
    """
    contents, is_current = checked(path)
    if is_current:
        yield OpenedRunFile(file=path, contents=contents)
        return
    with tempfile.TemporaryDirectory(prefix="ia_modules-") as folder:  # of its owner alone
        copy = Path(folder) / "run.iarun"
        _bring_up_to_date(path, copy)
        yield OpenedRunFile(file=copy, contents=contents)


@asynccontextmanager
async def opened_run_file(path: Path) -> AsyncGenerator[OpenedRunFile]:
    """:func:`open_run_file` for code on an event loop, which is not blocked."""
    opening = open_run_file(path)
    run = await asyncio.to_thread(opening.__enter__)
    try:
        yield run
    finally:
        await asyncio.to_thread(opening.__exit__, None, None, None)


def checked(path: Path) -> tuple[RunFileContents, bool]:
    """What is in a run file, and whether its schema is this program's. Blocks its thread.

    Raises:
        FileRefused: it is not what it should be.
    """
    with UntrustedFile(path) as file:
        try:
            return _contents(file, str(path)), file.is_current
        except FileRefused:
            raise
        except DatabaseError as error:
            raise FileRefused(str(path), f"it is damaged ({error.__cause__ or error})") from error


def _contents(file: UntrustedFile, name: str) -> RunFileContents:
    heads = file.perform("read_run_file")
    if len(heads) != 1:
        raise FileRefused(name, f"it says {len(heads)} times what is in it; expected once")
    [head] = heads
    file_sha256 = head.pop("file_sha256")
    portable, as_written = PortableRows(), RowDigest()
    counts = dict.fromkeys((table.name for table in TABLES), 0)
    attempts: dict[str, str] = {}
    for table in counts:
        for row in file.rows_of(table):
            if table == "step_executions":
                attempts[row["step_execution_id"]] = row["execution_id"]
            if problem := problem_of(table, row) or _problem_of_version(table, row) or _problem_of_owner(row, attempts):
                raise FileRefused(name, f"a row of {table} is not as ia_modules writes it: {problem}")
            portable.add(table, row)
            as_written.add(table, row)
            counts[table] += 1
    for row in file.perform("applied_migrations"):
        as_written.add("ia_migrations", row)
    as_written.add("run_file", head)
    if (portable.digest.hexdigest(), as_written.hexdigest()) != (head["rows_sha256"], file_sha256):
        raise FileRefused(name, _NOT_ITS_HASH)
    try:
        return RunFileContents.of(head, counts)
    except (InvalidArgument, ValueError) as error:
        raise FileRefused(name, "what it says of itself is not understood") from error


def _problem_of_version(table: str, row: Row) -> str | None:
    if table != "pipeline_versions" or content_hash(JsonText(row["definition"])) == row["content_hash"]:
        return None
    return "the definition is not the one that its hash is of"


def _problem_of_owner(row: Row, attempts: Mapping[str, str]) -> str | None:
    """A line or a question belongs to the execution of its attempt."""
    attempt = row.get("step_execution_id")
    if attempt is None or attempts.get(attempt) == row["execution_id"]:
        return None
    return "it is of an attempt of another execution"


def _bring_up_to_date(path: Path, copy: Path) -> None:
    shutil.copyfile(path, copy)
    copy.chmod(0o600)
    checked(copy)  # what was copied is what was looked at
    migrate_file(copy)
    with UntrustedFile(copy):
        pass
