"""Which files of a folder are nearly the same: each is sketched by the smallest hashes of its five-word pieces."""

import hashlib
import sysconfig
from dataclasses import dataclass
from pathlib import Path

HASHES = 64
PIECE_WORDS = 5


@dataclass
class Sketch:
    """A file and its smallest hash under each of 64 functions; files without enough words have none."""

    file: str
    hashes: list[int]


@dataclass
class Found:
    """A folder, and files in it by name."""

    folder: str
    files: list[str]


def find(folder: str, pattern: str) -> Found:
    """The files of a folder that fit a pattern; of Python's own library where no folder is named."""
    place = Path(folder or sysconfig.get_path("stdlib"))
    return Found(str(place), sorted(str(path.relative_to(place)) for path in place.glob(pattern) if path.is_file()))


def sketch(folder: str, file: str) -> Sketch:
    """Sketches a file.

    Source: A. Broder, "On the resemblance and containment of documents", SEQUENCES 1997.
    """
    words = Path(folder, file).read_text(encoding="utf-8", errors="replace").split()
    pieces = {" ".join(words[at : at + PIECE_WORDS]).encode() for at in range(len(words) - PIECE_WORDS + 1)}
    smallest = [min(map(_hashed(number), pieces)) for number in range(HASHES)] if pieces else []
    return Sketch(file, smallest)


def compare(sketches: list[Sketch], at_least: float) -> dict[str, list[dict[str, object]]]:
    """The pairs that have so much in common, the most alike first."""
    pairs: list[tuple[float, str, str]] = []
    for number, one in enumerate(sketches):
        for other in sketches[number + 1 :]:
            alike = sum(map(int.__eq__, one.hashes, other.hashes)) / HASHES
            if alike >= at_least:
                pairs.append((alike, one.file, other.file))
    pairs.sort(key=lambda pair: (-pair[0], pair[1:]))
    return {"pairs": [{"alike": alike, "files": [one, other]} for alike, one, other in pairs]}


class _hashed:  # noqa: N801 - a function with a number
    """The hash of a piece under the function of this number."""

    def __init__(self, number: int) -> None:
        self._key = number.to_bytes(8, "big")

    def __call__(self, piece: bytes) -> int:
        return int.from_bytes(hashlib.blake2b(piece, digest_size=8, key=self._key).digest(), "big")
