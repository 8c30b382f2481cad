"""The traces that a command writes: to a provider of one's own, or by an exporter that is installed."""

import json
import os
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Command, newest
from tests.unit.cli.programs import finished

TRACES = """
from contextlib import contextmanager
from pathlib import Path

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from ia_modules.traces.otel import ExecutionIds

@contextmanager
def make():
    with (Path(__file__).parent / "spans").open("a") as spans:
        provider = TracerProvider(id_generator=ExecutionIds(), shutdown_on_exit=False)
        exporter = ConsoleSpanExporter(out=spans, formatter=lambda span: span.to_json(indent=None) + "\\n")
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        yield provider

def fails():
    raise ValueError("no such collector")

def gives_nothing():
    return None

NUMBER = 7
"""

STEPS = """
def greet(name: str):
    return {"text": f"hello {name}"}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a pipeline, and with what makes a provider; it is the current folder."""
    module = f"traces_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{module}.py").write_text(TRACES)
    (tmp_path / "steps.py").write_text(STEPS)
    written = {
        "name": "Greeting",
        "parameters": {"name": "Ada"},
        "steps": [{"id": "greet", "module": "steps", "step_class": "greet"}],
        "flow": {"start_at": "greet"},
    }
    (tmp_path / "pipeline.json").write_text(json.dumps(written))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODULE_OF_TRACES", module)
    return tmp_path


def named(name: str) -> str:
    return f"{os.environ['MODULE_OF_TRACES']}:{name}"


def test_run_writes_its_execution_to_the_provider_that_is_named(command: Command, folder: Path) -> None:
    outer = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    options = ("--traces", named("make"), "--page-url", "https://runs.example.com/", "--traceparent", outer)
    result = command("run", "pipeline.json", *options)
    assert result.exit_code == 0, result.stderr
    execution_id = newest(command)["execution_id"]
    greet, root = map(json.loads, (folder / "spans").read_text().splitlines())
    assert (greet["name"], root["name"]) == ("greet", "Greeting")
    assert (greet["parent_id"], root["parent_id"]) == (root["context"]["span_id"], "0x00f067aa0ba902b7")
    assert root["context"]["trace_id"] == "0x4bf92f3577b34da6a3ce929d0e0e4736"
    assert root["attributes"]["ia_modules.url"] == f"https://runs.example.com/executions/{execution_id}"
    assert "Ada" not in json.dumps([greet, root])


def test_the_environment_says_the_same(command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IA_MODULES_TRACES", named("make"))
    monkeypatch.setenv("IA_MODULES_TRACE_PAYLOADS", "1")
    monkeypatch.setenv("TRACEPARENT", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    assert command("run", "pipeline.json").exit_code == 0
    greet, root = map(json.loads, (folder / "spans").read_text().splitlines())
    assert root["context"]["trace_id"] == "0x4bf92f3577b34da6a3ce929d0e0e4736"
    assert greet["attributes"]["ia_modules.output"] == '{"text":"hello Ada"}'


@pytest.mark.parametrize("text", ["", "abc", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"])
def test_a_header_that_is_none_is_refused_where_it_is_written_and_ignored_in_the_environment(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    result = command("run", "pipeline.json", "--traceparent", text)
    assert (result.exit_code, f"found {text!r}; expected the header of a span" in result.stderr) == (2, True)
    monkeypatch.setenv("TRACEPARENT", text)
    assert command("run", "pipeline.json").exit_code == 0


def test_an_exporter_that_is_installed_is_called_by_its_name(database_url: str, folder: Path) -> None:
    status, out, err = finished(database_url, "run", "pipeline.json", "--json", "--traces", "console")
    assert status == 0, err
    assert '"name": "Greeting"' in out
    assert '"service.name": "ia_modules"' in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--traces", "no_such_module:make"), "--traces no_such_module:make cannot be used: module 'no_such_module'"),
        (("--traces", "{module}:NUMBER"), "is of type int. Expected MODULE:NAME of a function"),
        (("--traces", "{module}:fails"), "could not be made: ValueError: no such collector"),
        (("--traces", "{module}:gives_nothing"), "gives a value of type NoneType. Expected opentelemetry.sdk.trace"),
        (("--traces", "carrier-pigeon"), "--traces carrier-pigeon: no such exporter is installed (console, otlp"),
        (("--traces", "console", "--page-url", "runs"), "--page-url runs is no address of the web. Expected such as"),
        (("--traces", "console", "--page-url", "http://[x"), "--page-url http://[x is no address of the web."),
    ],
)
def test_what_makes_none_is_said_before_anything_is_recorded(
    command: Command, folder: Path, options: tuple[str, ...], message: str
) -> None:
    module = os.environ["MODULE_OF_TRACES"]
    result = command("run", "pipeline.json", *(option.format(module=module) for option in options))
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert json.loads(command("executions", "list", "--json").stdout)["items"] == []


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("https://traces.example.com", "has no {trace_id}. Expected such as"),
        ("javascript:{trace_id}", "is no address of the web"),
    ],
)
def test_serve_refuses_addresses_of_traces_that_are_none(command: Command, template: str, message: str) -> None:
    result = command("serve", "--port", "0", "--trace-url", template)
    assert result.exit_code == 2
    assert message in result.stderr
