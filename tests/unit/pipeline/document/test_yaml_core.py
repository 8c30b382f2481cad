"""YAML with the values of JSON, and nothing that runs or explodes."""

from typing import Any

import pytest

from ia_modules.errors import PipelineDefinitionError
from ia_modules.pipeline.loader import document_of, examine


def test_yaml_runs_no_code_and_cannot_explode() -> None:
    with pytest.raises(PipelineDefinitionError, match="could not determine a constructor"):
        document_of("!!python/object/apply:os.getcwd []", "yaml")
    assert "expected at most 100" in str(examine(document_of("&a [*a]", "yaml")).errors[0])
    levels = [f"x{level}: &x{level} [{','.join([f'*x{level - 1}'] * 10)}]" for level in range(1, 9)]
    assert "expected fewer" in str(examine(document_of("\n".join(["x0: &x0 [1]", *levels]), "yaml")).errors[0])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("2024-01-01", "2024-01-01"),
        ("010", "010"),
        ("12", 12),
        ("-1.5e3", -1500.0),
        ("1e3", 1000.0),
        ("true", True),
        ("~", None),
        ("", None),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
    ],
)
def test_yaml_has_the_values_of_json(text: str, value: Any) -> None:
    assert document_of(f"key: {text}", "yaml") == {"key": value}


def test_yaml_mappings_can_be_merged() -> None:
    assert document_of("base: &base {x: 1}\nmore: {<<: *base, y: 2}", "yaml")["more"] == {"x": 1, "y": 2}
