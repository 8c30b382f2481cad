"""Registration of definitions: which version of its pipeline one is, and which version is current.

What a pipeline file gave last time is on record in ``audit_log``, a row for each time that a file gave something else.
"""

import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from ia_modules.database.manager import Script, Statement
from ia_modules.errors import PipelineConflict, StaleVersion
from ia_modules.models import JsonText, PipelineId, RegisteredVersion, new_id
from ia_modules.payload import content_hash
from ia_modules.tracker.audit import audit_row

REGISTER_FILE = "pipeline.register_file"
"""The action under which ``audit_log`` has what a pipeline file gave."""


class Registration(NamedTuple):
    """A definition that is to be registered; everything can be stored.

    Attributes:
        description: None leaves the one that stands; an empty one takes it away.
        definition: None registers the pipeline alone.
        file: the absolute path of the file that it was read from, where that decides which version is current.
        actor: the process that registers it.
    """

    slug: str
    name: str
    description: str | None
    definition: JsonText | None
    source_folder: str | None
    file: str | None
    actor: str


def register(
    query: Callable[[str], str],
    new: Registration,
    *,
    new_version: bool,
    base_version: int | None,
    make_current: bool,
) -> Script[RegisteredVersion]:
    """As :meth:`ia_modules.tracker.execution_tracker.ExecutionTracker.register_version`, in one transaction."""
    row = (yield Statement(query("lock_pipeline"), [{"id": new_id(), "slug": new.slug, "name": new.name}]))[0]
    pipeline_id, current = PipelineId(row["id"]), row["current_version"]
    if base_version not in (None, current):
        raise StaleVersion(new.slug, base_version=base_version, current_version=current)
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
    }
    known = yield Statement(query("read_pipeline_version"), [version])
    if known and new.source_folder is not None:
        yield Statement(query("learn_source_folder"), [version])
    if not known and current is not None and not new_version:
        raise PipelineConflict(new.slug, current)
    if new.file is not None:
        make_current = yield from _file_changed(query, pipeline_id, new, content, is_known=bool(known))
    update |= (known or (yield Statement(query("insert_pipeline_version"), [version])))[0]
    if current is None or make_current:
        yield Statement(query("update_pipeline"), [update])
        current = update["version"]
    return RegisteredVersion(pipeline_id=pipeline_id, version=update["version"], current_version=current)


def last_hash(registrations: Sequence[Mapping[str, str]], file: Mapping[str, str]) -> str | None:
    """The hash of what the file gave last time; None when it never gave anything.

    Args:
        registrations: what files of the pipeline gave, the newest first.
        file: its ``host`` and ``path``. Where it is new on its host, it is what lay there on another: containers get
            new host names.
    """
    same_path = [each for each in registrations if each["path"] == file["path"]]
    same_file = [each for each in same_path if each["host"] == file["host"]]
    return next((each["content_hash"] for each in same_file + same_path), None)


def _file_changed(
    query: Callable[[str], str], pipeline_id: PipelineId, new: Registration, content: str, *, is_known: bool
) -> Script[bool]:
    """Whether the file differs from what it gave last time; puts what it gives now on record.

    A file that never gave anything differs when its content is new to the pipeline.
    """
    rows = yield Statement(query("read_audit_details"), [{"subject": pipeline_id, "action": REGISTER_FILE}])
    registrations = [orjson.loads(row["detail"]) for row in rows]
    file = {"host": socket.gethostname(), "path": new.file or ""}
    if last_hash([each for each in registrations if each["host"] == file["host"]], file) != content:
        yield audit_row(query, new.actor, REGISTER_FILE, pipeline_id, {**file, "content_hash": content})
    last = last_hash(registrations, file)
    return not is_known if last is None else last != content
