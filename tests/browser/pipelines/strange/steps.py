"""A step that reads, and one that fails until a file says that it is mended."""

from pathlib import Path
from typing import Any


def read(data: dict[str, Any]) -> dict[str, Any]:
    return {"rows/all": len(data["folder"])}


def charge(data: dict[str, Any]) -> dict[str, Any]:
    if not (Path(data["folder"]) / "mended").exists():
        raise LookupError("no account for 50 % of a/b?")
    return {"paid": data["rows/all"]}
