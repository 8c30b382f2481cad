from datetime import UTC, datetime
from typing import Any

import pytest

from ia_modules.errors import PipelineDefinitionError
from ia_modules.models import Json, PipelineId, PipelineVersionRecord
from ia_modules.payload import content_hash, encode
from ia_modules.pipeline.versions import definition_of, is_stored_as
from tests.unit.pipeline.factories import document, task


def stored(definition: Json, version: int = 1) -> PipelineVersionRecord:
    return PipelineVersionRecord(
        pipeline_id=PipelineId("p"),
        version=version,
        definition=definition,
        content_hash=content_hash(encode(definition, "definition")),
        source_folder=None,
        created_at=datetime(2026, 11, 28, tzinfo=UTC),
    )


def test_one_content_is_parsed_once() -> None:
    first = definition_of(stored(document(task("a", module="m", step_class="C"))))
    assert definition_of(stored(document(task("a", module="m", step_class="C")), version=2)) is first
    assert definition_of(stored(document(task("b", module="m", step_class="C")))) is not first


@pytest.mark.parametrize("definition", [[], "text", None, {"steps": []}])
def test_what_is_no_definition_is_refused(definition: Json) -> None:
    with pytest.raises(PipelineDefinitionError):
        definition_of(stored(definition))


def test_a_definition_is_what_is_stored_though_the_program_has_a_name_now() -> None:
    def of(module: str, **keys: Any) -> PipelineVersionRecord:
        condition = {"type": "function", "config": {"module_path": module, "function_name": "ok"}}
        steps = (task("a", module=module, step_class="C"), task("b", module="m", step_class="C"))
        return stored(document(*steps, paths=[("a", "b", condition)], **keys))

    program, named = of("__main__"), of("app")
    assert is_stored_as(program, definition_of(program))
    assert is_stored_as(program, definition_of(named))
    assert not is_stored_as(named, definition_of(program))
    assert not is_stored_as(named, definition_of(of("other")))
    assert not is_stored_as(named, definition_of(of("app", merge={"cost": "sum"})))
    assert not is_stored_as(of("app", merge={"cost": "sum"}), definition_of(of("app", merge={"cost": "last"})))
    assert not is_stored_as(named, definition_of(stored(document(task("a", module="app", step_class="C")))))
