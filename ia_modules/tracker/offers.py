"""Who owns a pipeline's definition: what a file, a page or a program offers, and which version stays current. Pure.

Three texts decide, as in a merge: what a file gave last time, what it gives now, and what is current. ``audit_log`` has
what happened, in rows of three actions; what a version itself says (its origin) needs none.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, cast

import orjson

from ia_modules.models import Record, Row, VersionOrigin, parse_time

REGISTER_FILE = "pipeline.register_file"
"""A file gave something else than last time: ``host``, ``path``, ``content_hash``."""

MAKE_CURRENT = "pipeline.make_current"
"""A version that was there became current, or was confirmed: ``version``, ``newest_version``, ``origin``."""

STORE_BESIDE = "pipeline.store_beside"
"""A version was offered and not made current: ``version``, ``current_version``, ``origin``; of a file, its place."""

SHOWN_FILES = 20


class Offer(StrEnum):
    """What becomes of what a file gives.

    ``agrees``: it is current. ``follows``: it becomes current. The others leave the current version: ``unchanged``, the
    file gives what it gave; ``differs``, so it does while another file has given the current one; ``conflict``, it
    has changed, and the current version was chosen elsewhere.
    """

    AGREES = "agrees"
    FOLLOWS = "follows"
    UNCHANGED = "unchanged"
    DIFFERS = "differs"
    CONFLICT = "conflict"


class FileContent(NamedTuple):
    """What a file gave: the hash of its content, with the place of the file."""

    host: str
    path: str
    content_hash: str


class Current(NamedTuple):
    """The current version of a pipeline, and who made it that; ``origin`` None: nobody said."""

    version: int
    content_hash: str
    origin: VersionOrigin | None


class RegisteredFile(Record, kw_only=True, frozen=True):
    """A pipeline file and the version that it held when it was last registered; None: that is no version any more."""

    host: str
    path: str
    version: int | None
    registered_at: datetime


class StoredBeside(Record, kw_only=True, frozen=True):
    """A version that was offered while another stayed current. ``host``, ``path``: of the file; None: it is of none."""

    version: int
    origin: VersionOrigin
    author: str | None
    host: str | None
    path: str | None
    stored_at: datetime


class DefinitionOwner(Record, kw_only=True, frozen=True):
    """Whose definition is current, what the pipeline's files hold, and what is stored beside it.

    Attributes:
        origin: who made the current version current; None: nobody said, or there is none.
        author: in whose name; None: nobody said.
        files: by host and path, the 20 that were registered last, the newest first.
        newest_version: the highest number, current or not; 0: there is none.
        beside: offered since the current version became that, and neither chosen nor put aside; the newest first.
    """

    origin: VersionOrigin | None
    author: str | None
    newest_version: int
    files: tuple[RegisteredFile, ...]
    beside: tuple[StoredBeside, ...]


class PastOffer(NamedTuple):
    """A row of ``audit_log`` about a pipeline's versions."""

    action: str
    actor: str
    detail: Mapping[str, Any]
    created_at: datetime


def read_offers(rows: Iterable[Row]) -> list[PastOffer]:
    """The rows of the query of the same name, the newest first."""
    return [
        PastOffer(row["action"], row["actor"], orjson.loads(row["detail"]), parse_time(row["created_at"]))
        for row in rows
    ]


def decide_offer(
    offered: FileContent, current: Current | None, past: Sequence[PastOffer], *, is_known: bool, newest_version: int
) -> Offer:
    """What becomes of what a file gives now.

    A file that has changed is followed while files own the definition, and where what it gave before is current: then
    nobody loses anything. So is the first file of a pipeline that programs have run so far: to run is not to choose.
    Where a file is new on its host, it is what lay under its path on another: containers get new host names. There, a
    content that the pipeline had before is a deploy that is taken back, once for each newest version; after that it is
    another host that was left behind.

    Args:
        current: None: the pipeline has no version yet.
        past: the newest first.
        is_known: the content is a version of the pipeline already.
        newest_version: of the pipeline, before this offer; 0: there is none.
    """
    if current is None:
        return Offer.FOLLOWS
    if offered.content_hash == current.content_hash:
        return Offer.AGREES
    files = files_offered(past)
    own = last_hash([each for each in files if each.host == offered.host], offered)
    last = last_hash(files, offered)
    is_new_here = own is None and is_known and (last is None or _has_returned(past, newest_version))
    if last == offered.content_hash or is_new_here:
        return Offer.DIFFERS if current.origin == "file" else Offer.UNCHANGED
    is_first_file = current.origin == "program" and not files  # which its runs had registered so far
    follows = current.origin == "file" or last == current.content_hash or is_first_file
    return Offer.FOLLOWS if follows else Offer.CONFLICT


def files_offered(past: Iterable[PastOffer]) -> list[FileContent]:
    """What files gave, in the order of ``past``."""
    return [
        FileContent(each.detail["host"], each.detail["path"], each.detail["content_hash"])
        for each in past
        if each.action == REGISTER_FILE
    ]


def last_hash(files: Sequence[FileContent], file: FileContent) -> str | None:
    """The hash of what the file gave last time, its own host first; None when nothing is known of its path.

    Args:
        files: what files of the pipeline gave, the newest first.
    """
    same_path = [each for each in files if each.path == file.path]
    same_file = [each for each in same_path if each.host == file.host]
    return next((each.content_hash for each in same_file + same_path), None)


def origin_of_current(
    version: int,
    *,
    content_hash: str,
    origin: VersionOrigin | None,
    past: Sequence[PastOffer],
) -> VersionOrigin | None:
    """Who made a version current: who chose it last, else who made it, else the file that gave it last.

    Args:
        version: the current one, with its hash and its own origin.
    """
    chosen = next((each for each in past if each.action == MAKE_CURRENT), None)
    if chosen is not None and chosen.detail["version"] == version:
        return cast("VersionOrigin", chosen.detail["origin"])
    newest = next(iter(files_offered(past)), None)
    return origin or ("file" if newest is not None and newest.content_hash == content_hash else None)


def is_news(offered: FileContent, version: int, current_version: int, past: Sequence[PastOffer]) -> bool:
    """Whether it was not said before that the file under this path holds ``version`` while another is current."""
    saying = {"version": version, "current_version": current_version, "path": offered.path}
    return not any(each.action == STORE_BESIDE and saying.items() <= each.detail.items() for each in past)


def owner_of(
    current: Current | None, author: str | None, past: Sequence[PastOffer], versions: Mapping[str, int]
) -> DefinitionOwner:
    """Who owns a pipeline's definition.

    Args:
        author: of the current version.
        versions: the number of each version by its hash.
    """
    newest_version = max(versions.values(), default=0)
    newest: dict[tuple[str, str], PastOffer] = {}
    for each in past:
        if each.action == REGISTER_FILE:
            newest.setdefault((each.detail["host"], each.detail["path"]), each)
    files = tuple(
        RegisteredFile(
            host=host, path=path, version=versions.get(each.detail["content_hash"]), registered_at=each.created_at
        )
        for (host, path), each in list(newest.items())[:SHOWN_FILES]
    )
    if current is None:
        return DefinitionOwner(origin=None, author=None, newest_version=newest_version, files=files, beside=())
    chosen = next((each for each in past if each.action == MAKE_CURRENT), None)
    if chosen is not None and chosen.detail["version"] == current.version:
        author = chosen.actor if chosen.detail["origin"] != "file" else None
    return DefinitionOwner(
        origin=current.origin,
        author=author,
        newest_version=newest_version,
        files=files,
        beside=tuple(stored_beside(current.version, past)),
    )


def stored_beside(current_version: int, past: Iterable[PastOffer]) -> Iterable[StoredBeside]:
    """What is offered and not decided, the newest first: each version once, and of a path only what it gave last."""
    decided: set[str | int] = set()
    for action, actor, detail, created_at in past:
        path, version = detail.get("path"), detail["version"] if action == STORE_BESIDE else None
        if action == MAKE_CURRENT:
            return
        if version is not None and detail["current_version"] == current_version and not decided & {path, version}:
            is_file = detail["origin"] == "file"
            yield StoredBeside(
                version=version,
                origin=detail["origin"],
                author=None if is_file else actor,
                host=detail.get("host"),
                path=path,
                stored_at=created_at,
            )
        decided |= {each for each in (path, version) if each is not None}


def _has_returned(past: Iterable[PastOffer], newest_version: int) -> bool:
    """Whether a file has brought an older version back since the newest was made."""
    back = {"origin": "file", "newest_version": newest_version}
    return any(each.action == MAKE_CURRENT and back.items() <= each.detail.items() for each in past)
