"""Finds the texts of a folder, and counts the words of one."""

from pathlib import Path
from typing import Any

from ia_modules import current

HERE = Path(__file__).parent


def find(folder: str) -> dict[str, list[str]]:
    """The names of the text files, in their order."""
    return {"files": sorted(path.name for path in (HERE / folder).glob("*.txt"))}


def count(folder: str, file: str) -> int:
    """The words of one text. An empty one fails; of the rest every other is on a drive that is busy at first."""
    if current.context.attempt == 1 and len(file) % 2:
        raise OSError("the drive is busy")
    words = (HERE / folder / file).read_text(encoding="utf-8").split()
    if not words:
        raise ValueError(f"{file} is empty")
    return len(words)


def total(counted: list[dict[str, Any] | None]) -> dict[str, int]:
    """The words of all of them; None is one that failed."""
    return {"words": sum(each["words"] for each in counted if each is not None)}
