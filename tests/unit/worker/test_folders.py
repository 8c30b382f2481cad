import json
from pathlib import Path

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import PipelineDefinitionError
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.worker.folders import pipeline_files, register_folders
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
    (folder / "pipeline.yaml").touch()
    assert pipeline_files(folder) == [folder / "nightly" / "pipeline.json", folder / "pipeline.yaml"]
    with pytest.raises(PipelineDefinitionError, match="no such folder"):
        pipeline_files(folder / "nothing")


async def test_files_are_registered_with_their_folder_and_wrong_ones_are_told(
    database: DatabaseManager, tracker: ExecutionTracker, folder: Path
) -> None:
    (folder / "broken").mkdir()
    (folder / "broken" / "pipeline.json").write_text('{"name": "Broken", "steps": [{"id": "a", "class": "No"}]}')
    wrong = await register_folders(database, tracker, [folder / "nothing", folder])
    assert [str(error).splitlines()[0] for error in wrong] == ["The pipeline definition is wrong:"] * 2
    assert wrong[1].__notes__ == [f"The file is {folder / 'broken' / 'pipeline.json'}."]
    (pipeline,) = await tracker.list_pipelines()
    version = await tracker.get_pipeline_version(pipeline.id)
    assert version is not None
    assert (pipeline.slug, version.version, version.source_folder) == ("rows", 1, str(folder / "nightly"))


async def test_a_file_that_changed_is_the_next_version_and_one_that_did_not_reverts_nobodys_choice(
    database: DatabaseManager, tracker: ExecutionTracker, folder: Path
) -> None:
    file = folder / "nightly" / "pipeline.json"
    assert await register_folders(database, tracker, [folder]) == []
    document = json.loads(file.read_text())
    await tracker.register_version("rows", "Rows", {**document, "description": "edited"}, new_version=True)
    assert await register_folders(database, tracker, [folder]) == []
    (pipeline,) = await tracker.list_pipelines()
    assert pipeline.current_version == 2
    file.write_text(json.dumps({**document, "description": "another"}))
    assert await register_folders(database, tracker, [folder]) == []
    (pipeline,) = await tracker.list_pipelines()
    assert pipeline.current_version == 3
