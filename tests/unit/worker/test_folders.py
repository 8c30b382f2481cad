import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from ia_modules.errors import PipelineDefinitionError
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.worker.folders import is_pipeline, pipeline_files, register_folders
from tests.unit.worker.queue import Place


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pipelines"
    (folder / "nightly").mkdir(parents=True)
    (folder / "too" / "deep").mkdir(parents=True)
    Place(folder / "nightly")
    Place(folder / "too" / "deep")
    return folder


def test_files_in_a_folder_and_one_level_below_are_found(folder: Path) -> None:
    for name in ("pipeline.yaml", "nightly/more.YML", "nightly/notes.txt", ".hidden.json", "nightly/.hidden.yaml"):
        (folder / name).touch()
    (folder / ".git").mkdir()
    (folder / ".git" / "pipeline.json").touch()
    (folder / "named.json").mkdir()
    (folder / "named.json" / "pipeline.json").touch()
    (folder / "nightly" / "link.json").symlink_to(folder / "nowhere.json")
    os.mkfifo(folder / "pipe.json")
    found = [path.relative_to(folder).as_posix() for path in pipeline_files(folder)]
    assert found == ["named.json/pipeline.json", "nightly/more.YML", "nightly/pipeline.json", "pipeline.yaml"]
    with pytest.raises(PipelineDefinitionError, match="no such folder"):
        pipeline_files(folder / "nothing")


@pytest.mark.parametrize(
    ("document", "is_one"),
    [
        ({"steps": 1, "flow": None}, True),
        ({"steps": []}, False),
        ({"name": "left-pad", "version": "1"}, False),
        ([], False),
        (None, False),
        ("steps flow", False),
    ],
)
def test_a_pipeline_has_steps_and_flow_at_its_top(document: Any, is_one: bool) -> None:
    assert is_pipeline(document) is is_one


BROKEN = {
    "keys.yaml": b"name: {{ parameters.x }}",
    "utf8.json": b'{"steps": "\xff"}',
    "tag.yml": b"steps: !!python/object:os.system {}",
    "self.yaml": b"a: &a [*a]",
    "deep.json": b"[" * 5000,
    "two.yaml": b"a: 1\n---\nb: 2",
    "model.json": b'{"name": "x", "steps": {"a": 1}, "flow": []}',
}


async def test_whatever_is_wrong_with_a_file_keeps_no_other_from_being_registered(
    tracker: ExecutionTracker, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, content in BROKEN.items():
        (folder / name).write_bytes(content)
    (folder / "package.json").write_text('{"name": "left-pad"}')
    (folder / "list.yaml").write_text("- steps\n- flow\n")
    wrong = await register_folders(tracker, [folder])
    assert sorted(error.__notes__[0] for error in wrong) == sorted(f"The file is {folder / name}." for name in BROKEN)
    assert all("line " in str(error) for error in wrong)
    assert [pipeline.slug for pipeline in await tracker.list_pipelines()] == ["rows"]
    left_out = "is left out: it has no steps and flow at its top, so it is no pipeline."
    assert caplog.messages == [f"{folder / name} {left_out}" for name in ("list.yaml", "package.json")]


async def test_of_two_files_with_one_slug_the_first_counts_always(tracker: ExecutionTracker, folder: Path) -> None:
    file = folder / "nightly" / "pipeline.json"
    other = folder / "second.json"
    other.write_text(json.dumps({**json.loads(file.read_text()), "description": "the other", "slug": "rows"}))
    for _ in range(2):
        (wrong,) = await register_folders(tracker, [folder, folder / "nightly", folder])
        assert f"found the slug 'rows', which {file} has too; expected a slug of its own." in str(wrong)
        assert wrong.__notes__ == [f"The file is {other}."]
        assert await current_version(tracker) == 1
    file.write_text(file.read_text().replace('"Work"', '"Nothing"'))
    assert len(await register_folders(tracker, [folder])) == 2, "a broken first one does not let the other in"
    assert await current_version(tracker) == 1


async def test_a_link_to_a_file_does_not_stand_for_it_where_both_are(tracker: ExecutionTracker, folder: Path) -> None:
    (folder / "a").mkdir()
    (folder / "a" / "link.json").symlink_to(folder / "nightly" / "pipeline.json")
    assert await register_folders(tracker, [folder]) == []
    (pipeline,) = await tracker.list_pipelines()
    version = await tracker.get_pipeline_version(pipeline.id)
    assert version is not None
    assert version.source_folder == str(folder / "nightly")


async def test_files_are_registered_with_their_folder_and_wrong_ones_are_told(
    tracker: ExecutionTracker, folder: Path
) -> None:
    (folder / "broken").mkdir()
    (folder / "broken" / "pipeline.json").write_text('{"name": "Broken", "steps": [{"id": "a"}], "flow": {}}')
    wrong = await register_folders(tracker, [folder / "nothing", folder])
    assert [str(error).splitlines()[0] for error in wrong] == ["The pipeline definition is wrong:"] * 2
    assert wrong[1].__notes__ == [f"The file is {folder / 'broken' / 'pipeline.json'}."]
    (pipeline,) = await tracker.list_pipelines()
    version = await tracker.get_pipeline_version(pipeline.id)
    assert version is not None
    assert (pipeline.slug, version.version, version.source_folder) == ("rows", 1, str(folder / "nightly"))


async def current_version(tracker: ExecutionTracker) -> int | None:
    (pipeline,) = await tracker.list_pipelines()
    return pipeline.current_version


async def test_what_a_file_holds_becomes_current_when_it_changed_until_another_is_chosen(
    tracker: ExecutionTracker, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = folder / "nightly" / "pipeline.json"
    document = json.loads(file.read_text())

    async def changed(description: str) -> int | None:
        file.write_text(json.dumps({**document, "description": description}))
        assert await register_folders(tracker, [folder]) == []
        return await current_version(tracker)

    assert await register_folders(tracker, [folder]) == []
    assert await changed("second") == 2
    assert await changed("second") == 2
    await tracker.register_version("rows", "Rows", {**document, "description": "on a page"}, new_version=True)
    assert await changed("second") == 3, "chosen on a page"
    assert caplog.messages == []
    for _ in range(2):
        assert await changed("fourth") == 3, "changed after it was chosen"
    (message,) = caplog.messages
    assert message == (
        f"rows: version 3 stays the current one; it was chosen elsewhere. {file} holds version 4, which is stored "
        "beside it. Choose one of them: on the pipeline's page, or ia-modules pipelines make-current rows 4."
    )
    assert await changed("second") == 3, "an older content is a change too"
    (pipeline,) = await tracker.list_pipelines()
    owner = await tracker.definition_owner(pipeline.id)
    assert [(each.version, each.path) for each in owner.beside] == [(2, str(file))]


async def test_a_file_on_another_host_is_another_file(
    tracker: ExecutionTracker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / "nightly" / "pipeline.json"
    older = file.read_text()
    newer = json.dumps({**json.loads(older), "description": "newer"})

    async def registered_on(host: str, text: str) -> int | None:
        monkeypatch.setattr(socket, "gethostname", lambda: host)
        file.write_text(text)
        assert await register_folders(tracker, [folder]) == []
        return await current_version(tracker)

    assert await registered_on("one", older) == 1
    assert await registered_on("two", newer) == 2, "the deploy reaches the second host"
    assert await registered_on("one", older) == 2, "the first one starts again, as it was"
    assert await registered_on("one", newer) == 2
    assert await registered_on("new container", older) == 1, "the deploy is taken back"


async def test_a_file_that_is_registered_nowhere_yet_changes_nothing_where_its_content_is_known(
    tracker: ExecutionTracker, folder: Path
) -> None:
    assert await register_folders(tracker, [folder]) == []
    await tracker.register_version("rows", "Rows", {"another": 1}, new_version=True)
    (folder / "nightly").rename(folder / "elsewhere")
    assert await register_folders(tracker, [folder]) == []
    assert await current_version(tracker) == 2
