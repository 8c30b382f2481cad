"""Field types: a source, a config and a path have one spelling each, and go back to JSON as they are written."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from ia_modules.pipeline.document.fields import ConfigTemplate, PathText, SourceTemplate

SOURCE: TypeAdapter[Any] = TypeAdapter(SourceTemplate)
CONFIG: TypeAdapter[Any] = TypeAdapter(ConfigTemplate)
PATH: TypeAdapter[str] = TypeAdapter(PathText)


def test_single_braces_are_placeholders_in_a_source_and_text_in_a_config() -> None:
    source, config = SOURCE.validate_python("{parameters.x}"), CONFIG.validate_python({"prompt": "{parameters.x}"})
    assert (source.is_literal, config.is_literal) == (False, True)


def test_a_template_goes_back_to_the_json_it_was_made_of() -> None:
    for adapter, written in ((SOURCE, ["{parameters.x}", 1]), (CONFIG, {"a": "{{ parameters.x }}"})):
        template = adapter.validate_python(written)
        assert adapter.dump_python(template) == written
        assert adapter.validate_python(template) is template


@pytest.mark.parametrize("written", [[], "text", None, 3])
def test_a_config_is_a_mapping(written: Any) -> None:
    with pytest.raises(ValidationError, match="expected a mapping"):
        CONFIG.validate_python(written)


@pytest.mark.parametrize(
    ("written", "spelled"),
    [
        ("result.score", "result.score"),
        ("score", "score"),
        ("draft.score", "draft.score"),
        ("{parameters.limit}", "{parameters.limit}"),
        ("{{ parameters.limit }}", "{parameters.limit}"),
        ("{{ draft.score }}", "{steps.draft.output.score}"),
    ],
)
def test_a_path_has_one_spelling(written: str, spelled: str) -> None:
    assert PATH.validate_python(written) == spelled
    assert PATH.validate_python(spelled) == spelled
