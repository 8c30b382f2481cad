"""Check a table of airports, repair it one kind of problem at a time, and publish it or put it aside.

The table never travels between the steps: what does is the file's hash and the repairs made so far, and each step makes
the same table of them again. So the records stay small, and another process can go on from them.
"""

import asyncio
import csv
import io
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, fields
from pathlib import Path
from typing import Any

import airports

from ia_modules.models import LogLevel
from ia_modules.pipeline.core import Step

EXAMPLES = 10
"""How many problems and changes are kept on record at each step; all are counted."""


class Ingest(Step):
    """Find the file, and make sure that it is such a table."""

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        path, table = await asyncio.to_thread(_ingest, self.config["file"])
        self.context.log(f"{len(table.rows)} rows in {path.name}", file=str(path), sha256=table.sha256)
        return {"file": str(path), "sha256": table.sha256, "rows": len(table.rows)}


def _ingest(named: str) -> tuple[Path, airports.Table]:
    path = Path(named or Path(__file__).with_name("airports.csv")).resolve()
    return path, airports.read_table(path)


class TableStep(Step):
    """A step that works on the table as it is after some repairs.

    Input ``table``: the result of :class:`Ingest`. Config: the distances of :class:`airports.Limits`.
    """

    @property
    def limits(self) -> airports.Limits:
        return airports.Limits(self.config["same_place_km"], self.config["nearby_km"])

    async def table(
        self, ingested: dict[str, Any], repairs: Sequence[str]
    ) -> tuple[list[airports.Row], list[airports.Change]]:
        """The rows after these repairs, and all changes that led there.

        Raises:
            ValueError: the file is not the one any more that was ingested.
        """
        path = Path(ingested["file"])
        table = await asyncio.to_thread(airports.read_table, path)
        if table.sha256 != ingested["sha256"]:
            raise ValueError(f"{path} has changed since it was ingested; start a new execution")
        return await asyncio.to_thread(airports.replay, table.rows, repairs, self.limits)

    async def problems(self, rows: Sequence[airports.Row]) -> list[airports.Problem]:
        return await asyncio.to_thread(lambda: list(airports.problems(rows, self.limits)))


class Validate(TableStep):
    """Say what is wrong, how good that is, and what to repair next.

    Inputs ``repairs`` and ``history`` are those of the iteration before; the first has none.
    The result has no ``next_repair`` when nothing is left that ``config.repairs`` would repair.
    """

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        repairs: list[str] = data.get("repairs", [])
        rows, _ = await self.table(data["table"], repairs)
        found = await self.problems(rows)
        kinds = Counter(problem.kind for problem in found)
        clean = len(rows) - len({problem.line for problem in found})
        quality = round(clean / len(rows), 4) if rows else 0.0
        last = {"after": repairs[-1] if repairs else "ingest", "quality": quality, "problems": kinds.total()}
        self.context.log(f"{clean} of {len(rows)} rows are fine: quality {quality}", problems=dict(kinds))
        self.context.progress(quality, f"{kinds.total()} problems")
        due = [kind for kind in self.config["repairs"] if kinds[kind] and kind not in repairs]
        return {
            "quality": quality,
            "rows": len(rows),
            "clean_rows": clean,
            "problems": dict(kinds),
            "examples": [asdict(problem) for problem in found[:EXAMPLES]],
            "repairs": repairs,
            "repairs_made": len(repairs),
            "history": [*data.get("history", []), last],
            **({"next_repair": due[0]} if due else {}),
        }


class Repair(TableStep):
    """Repair one kind of problem: the input ``kind``."""

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        kind, repairs = data["kind"], data["repairs"]
        rows, _ = await self.table(data["table"], repairs)
        left, changes = await asyncio.to_thread(airports.repair, rows, kind, self.limits)
        for change in changes[:EXAMPLES]:
            what = f"{change.column}: {change.before!r} is now {change.after!r}" if change.column else "removed"
            self.context.log(f"line {change.line}: {what}", kind=kind, why=change.why)
        self.context.log(f"{len(changes)} changes for {kind}", rows_removed=len(rows) - len(left))
        return {
            "kind": kind,
            "changes": len(changes),
            "rows_removed": len(rows) - len(left),
            "examples": [asdict(change) for change in changes[:EXAMPLES]],
            "repairs": [*repairs, kind],
        }


class Publish(TableStep):
    """Hand the table on: with ``config.output_folder``, as ``<name>.clean.csv``, and every change beside it."""

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        rows, changes = await self.table(data["table"], data["repairs"])
        stem = Path(data["table"]["file"]).stem
        tables: dict[str, tuple[Sequence[str], Sequence[Sequence[Any]]]] = {
            f"{stem}.clean.csv": (airports.COLUMNS, [list(row.cells.values()) for row in rows]),
            f"{stem}.changes.csv": (_names(airports.Change), [astuple(change) for change in changes]),
        }
        files = await asyncio.to_thread(_write, self.config["output_folder"], tables)
        self.context.log(f"published {len(rows)} rows, {len(changes)} changes", files=files)
        return {"verdict": "published", "rows": len(rows), "changes": len(changes), "files": files}


class Quarantine(TableStep):
    """Put the table aside: with ``config.output_folder``, what is wrong with it as ``<name>.problems.csv``."""

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        rows, changes = await self.table(data["table"], data["repairs"])
        found = await self.problems(rows)
        stem = Path(data["table"]["file"]).stem
        tables = {f"{stem}.problems.csv": (_names(airports.Problem), [astuple(problem) for problem in found])}
        files = await asyncio.to_thread(_write, self.config["output_folder"], tables)
        self.context.log(f"put aside: quality {data['quality']}", LogLevel.WARNING, problems=len(found), files=files)
        return {"verdict": "quarantined", "rows": len(rows), "changes": len(changes), "files": files}


def _names(record: type[airports.Change] | type[airports.Problem]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(record))


def _write(folder: str, tables: Mapping[str, tuple[Sequence[str], Sequence[Sequence[Any]]]]) -> list[str]:
    """Write CSV files, each of them whole or not at all; nothing without a folder. Returns their paths."""
    if not folder:
        return []
    place = Path(folder).absolute()
    place.mkdir(parents=True, exist_ok=True)
    for name, (header, rows) in tables.items():
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows([header, *rows])
        unfinished = place / f".{name}.{os.getpid()}"
        unfinished.write_text(text.getvalue(), encoding="utf-8", newline="")
        unfinished.replace(place / name)
    return [str(place / name) for name in tables]
