"""What a command is told of a Ray cluster: an address and a runtime_env that cannot be used end it, in one sentence."""

import json
from pathlib import Path

import pytest
import typer

from ia_modules.cli.options.ray import ray_of
from ia_modules.cli.output.terminal import ExitStatus


def test_without_an_address_there_is_no_cluster() -> None:
    assert ray_of(None, "namespace") is None
    assert ray_of("127.0.0.1:6379", None) is not None
    assert ray_of("auto", "namespace", wait_seconds=5.0) is not None


def test_an_address_that_cannot_be_joined_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as left:
        ray_of("ray://head:10001", None)
    assert left.value.exit_code == ExitStatus.NOT_STARTED
    assert "found 'ray://head:10001'; expected auto, or HOST:PORT" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "found"), [("{", "it is no JSON"), ("[]", "is no mapping"), (None, "No such file or directory")]
)
def test_a_runtime_env_that_cannot_be_read_is_refused_without_a_word_of_it(
    text: str | None, found: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "env.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(typer.Exit):
        ray_of("auto", None, runtime_env=file)
    assert found in capsys.readouterr().err


def test_a_runtime_env_is_read(tmp_path: Path) -> None:
    file = tmp_path / "env.json"
    file.write_text(json.dumps({"env_vars": {"TOKEN": "secret"}}))
    cluster = ray_of("auto", None, runtime_env=file)
    assert "secret" not in repr(cluster)
