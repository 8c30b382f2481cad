"""Registration of definitions: which version of its pipeline one is, and which version is current.

What becomes of what a file gives is decided in :mod:`ia_modules.tracker.offers`.
"""

import socket
from collections.abc import Mapping
from typing import Any, NamedTuple

from ia_modules.database.manager import Script, Statement
from ia_modules.errors import PipelineConflict, PipelineNotFound, PipelineVersionNotFound, StaleVersion
from ia_modules.models import JsonText, PipelineId, RegisteredVersion, Row, VersionOrigin, new_id
from ia_modules.payload import content_hash
from ia_modules.tracker.audit import audit_row, deed_detail, deed_row, done_before, done_with_key
from ia_modules.tracker.batch import Query
from ia_modules.tracker.offers import (
    MAKE_CURRENT,
    REGISTER_FILE,
    STORE_BESIDE,
    Current,
    DefinitionOwner,
    FileContent,
    Offer,
    PastOffer,
    decide_offer,
    files_offered,
    is_news,
    last_hash,
    origin_of_current,
    owner_of,
    read_offers,
)
from ia_modules.transitions import Deed


class Registration(NamedTuple):
    """A definition that is to be registered; everything can be stored.

    Attributes:
        description: None leaves the one that stands; an empty one takes it away.
        definition: None registers the pipeline alone.
        file: the absolute path of the file that it was read from, where that decides which version is current.
        origin: where a version that is new comes from, and who makes it current.
        author, note: who made it and what for; None: nobody said.
        actor: in whose name the audit log keeps it.
        deed: the request that is kept there, with the version; None: none is.
    """

    slug: str
    name: str
    description: str | None
    definition: JsonText | None
    source_folder: str | None
    file: str | None
    origin: VersionOrigin | None
    author: str | None
    note: str | None
    actor: str
    deed: Deed | None = None


def register(
    query: Query,
    new: Registration,
    *,
    new_version: bool,
    base_version: int | None,
    make_current: bool,
    stale_beside: bool = False,
) -> Script[RegisteredVersion]:
    """As :meth:`ia_modules.tracker.execution_tracker.ExecutionTracker.register_version`, in one transaction."""
    row = (yield Statement(query("lock_pipeline"), [{"id": new_id(), "slug": new.slug, "name": new.name}]))[0]
    pipeline_id, current = PipelineId(row["id"]), row["current_version"]
    if new.deed is not None and (done := (yield from done_before(query, new.deed, pipeline_id))) is not None:
        return RegisteredVersion(
            pipeline_id=pipeline_id,
            version=done["version"],
            current_version=current,
            stored_beside=done["stored_beside"],
        )
    is_stale = base_version not in (None, current)
    if is_stale and not stale_beside:
        raise StaleVersion(new.slug, base_version=base_version or 0, current_version=current)
    update: dict[str, Any] = {"pipeline_id": pipeline_id, "name": new.name, "description": new.description}
    if new.definition is None:
        yield Statement(query("update_pipeline"), [update | {"version": None}])
        return RegisteredVersion(pipeline_id=pipeline_id, version=None, current_version=current)
    content = content_hash(new.definition)
    version = {
        "pipeline_id": pipeline_id,
        "definition": new.definition,
        "content_hash": content,
        "source_folder": new.source_folder,
        "origin": new.origin,
        "author": new.author,
        "note": new.note,
    }
    known = yield Statement(query("read_pipeline_version"), [version])
    if known and new.source_folder is not None:
        yield Statement(query("learn_source_folder"), [version])
    if not known and current is not None and not new_version:
        raise PipelineConflict(new.slug, current)
    before = yield from _standing(query, pipeline_id)
    update |= (known or (yield Statement(query("insert_pipeline_version"), [version])))[0]
    is_beside = is_stale and current not in (None, update["version"])
    place: dict[str, str] = {}
    if new.file is not None:
        offered = FileContent(socket.gethostname(), new.file, content)
        place = {"host": offered.host, "path": offered.path}
        offer = yield from _offer(query, pipeline_id, offered, before, is_known=bool(known), actor=new.actor)
        make_current = offer is Offer.FOLLOWS
        is_beside = offer is Offer.CONFLICT or (
            offer is Offer.DIFFERS and is_news(offered, update["version"], current or 0, before.past)
        )
    if is_beside:
        detail = {"version": update["version"], "current_version": current, "origin": new.origin, **place}
        yield audit_row(query, new.actor, STORE_BESIDE, pipeline_id, detail)
    elif current is None or (make_current and not is_stale):
        yield Statement(query("update_pipeline"), [update])
        if known and current != update["version"]:
            yield _chosen(query, pipeline_id, update["version"], before, origin=new.origin, actor=new.actor)
        current = update["version"]
    if new.deed is not None:
        yield deed_row(query, new.deed, pipeline_id, version=update["version"], stored_beside=is_beside)
    return RegisteredVersion(
        pipeline_id=pipeline_id, version=update["version"], current_version=current, stored_beside=is_beside
    )


class Choice(NamedTuple):
    """A version that is to become the current one, or to be confirmed as that.

    Attributes:
        name, description: of its definition; None leaves the description that stands.
        base_version: refuse unless this is the current version; None: do not look.
        idempotency_key: names the request: what it has done before is not done again.
    """

    pipeline_id: PipelineId
    slug: str
    version: int
    name: str
    description: str | None
    base_version: int | None
    origin: VersionOrigin
    actor: str
    idempotency_key: str | None = None


def choose(query: Query, choice: Choice) -> Script[RegisteredVersion]:
    """As :meth:`ia_modules.tracker.execution_tracker.ExecutionTracker.choose_version`, in one transaction."""
    update: dict[str, Any] = {
        "pipeline_id": choice.pipeline_id,
        "name": choice.name,
        "description": choice.description,
        "version": choice.version,
    }
    yield Statement(query("lock_pipeline_by_id"), [update])
    before = yield from _standing(query, choice.pipeline_id)
    if before.row is None:
        raise PipelineNotFound(choice.slug)
    current = before.row["current_version"]
    if choice.idempotency_key is not None and (
        yield from done_with_key(query, MAKE_CURRENT, choice.pipeline_id, choice.idempotency_key)
    ):
        return RegisteredVersion(pipeline_id=choice.pipeline_id, version=choice.version, current_version=current)
    if choice.base_version not in (None, current):
        raise StaleVersion(choice.slug, base_version=choice.base_version or 0, current_version=current)
    if not (yield Statement(query("get_definition_text"), [update])):
        raise PipelineVersionNotFound(choice.slug, choice.version)
    yield Statement(query("update_pipeline"), [update])
    yield _chosen(
        query,
        choice.pipeline_id,
        choice.version,
        before,
        origin=choice.origin,
        actor=choice.actor,
        idempotency_key=choice.idempotency_key,
    )
    return RegisteredVersion(pipeline_id=choice.pipeline_id, version=choice.version, current_version=choice.version)


def definition_owner(query: Query, pipeline_id: PipelineId) -> Script[DefinitionOwner]:
    """Who owns the definition of a pipeline, as :func:`ia_modules.tracker.offers.owner_of` has it."""
    standing = yield from _standing(query, pipeline_id)
    rows = yield Statement(query("read_version_numbers"), [{"pipeline_id": pipeline_id}])
    versions: Mapping[str, int] = {row["content_hash"]: row["version"] for row in rows}
    author = None if standing.row is None else standing.row["author"]
    return owner_of(standing.current, author, standing.past, versions)


class _Standing(NamedTuple):
    """What was offered and chosen until now."""

    row: Row | None
    current: Current | None
    past: list[PastOffer]

    @property
    def newest_version(self) -> int:
        return 0 if self.row is None else self.row["newest_version"] or 0


def _standing(query: Query, pipeline_id: PipelineId) -> Script[_Standing]:
    past = read_offers((yield Statement(query("read_offers"), [{"subject": pipeline_id}])))
    rows = yield Statement(query("read_current_version"), [{"pipeline_id": pipeline_id}])
    row = rows[0] if rows else None
    if row is None or row["current_version"] is None:
        return _Standing(row, None, past)
    version, content = row["current_version"], row["content_hash"]
    origin = origin_of_current(version, content_hash=content, origin=row["origin"], past=past)
    return _Standing(row, Current(version, content, origin), past)


def _offer(
    query: Query, pipeline_id: PipelineId, offered: FileContent, before: _Standing, *, is_known: bool, actor: str
) -> Script[Offer]:
    """What becomes of what a file gives; puts it on record where it is something else than last time."""
    own = [each for each in files_offered(before.past) if each.host == offered.host]
    if last_hash(own, offered) != offered.content_hash:
        yield audit_row(query, actor, REGISTER_FILE, pipeline_id, offered._asdict())
    return decide_offer(offered, before.current, before.past, is_known=is_known, newest_version=before.newest_version)


def _chosen(
    query: Query,
    pipeline_id: PipelineId,
    version: int,
    before: _Standing,
    *,
    origin: VersionOrigin | None,
    actor: str,
    idempotency_key: str | None = None,
) -> Statement:
    key = deed_detail(None, idempotency_key)
    detail = {"version": version, "newest_version": before.newest_version, "origin": origin, **key}
    return audit_row(query, actor, MAKE_CURRENT, pipeline_id, detail)
