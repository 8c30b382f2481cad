"""``compose.yaml`` and ``Dockerfile``: valid by the specification, and naming only what exists; no engine is needed."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose
from typer.testing import CliRunner

from ia_modules.cli.app import app
from tests.unit.cli.conftest import command_named

ROOT = Path(__file__).parents[2]

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_compose_file_follows_the_specification() -> None:
    merged = yaml.safe_dump(COMPOSE)  # the parser itself leaves YAML's merge keys alone
    assert PyCompose.from_yaml(merged).service_names() == ["postgres", "server", "worker"]
    with pytest.raises(ValueError, match="healthchek"):
        PyCompose.from_yaml(merged.replace("healthcheck", "healthchek"))


def test_compose_file_has_a_database_a_server_that_runs_nothing_and_two_workers() -> None:
    services = COMPOSE["services"]
    assert set(services) == {"postgres", "server", "worker"}
    assert services["worker"]["deploy"]["replicas"] == 2
    assert "--slots 0" in " ".join(services["server"]["command"])
    assert {services[name]["environment"]["DATABASE_URL"] for name in ("server", "worker")} == {
        "postgresql://ia@postgres/ia"
    }


def test_no_secret_has_a_default() -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    for name in ("POSTGRES_PASSWORD", "IA_MODULES_API_KEYS"):
        assert set(re.findall(rf"\$\{{{name}(..)", text)) == {":?"}


@pytest.mark.parametrize(
    "command",
    [
        COMPOSE["services"]["server"]["command"],
        COMPOSE["services"]["worker"]["command"],
        json.loads(re.search(r"^CMD (.*)$", DOCKERFILE, re.MULTILINE)[1]),  # pyright: ignore[reportOptionalSubscript]
    ],
    ids=lambda command: " ".join(command),
)
def test_containers_start_commands_that_exist(command: list[str]) -> None:
    name, *arguments = command
    options = {option for parameter in command_named(name)[0].params for option in parameter.opts}
    assert {argument for argument in arguments if argument.startswith("--")} <= options
    assert CliRunner().invoke(app, [name, "--help"]).exit_code == 0


def test_image_is_made_of_what_is_committed() -> None:
    for source in re.findall(r"^COPY (?:--chown=\S+ )?(?!--from)(\S+) ", DOCKERFILE, re.MULTILINE):
        assert (ROOT / source).exists(), source
