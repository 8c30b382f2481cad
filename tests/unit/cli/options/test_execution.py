import pytest

from ia_modules.models import new_id
from tests.acceptance.test_strange_ids import disguises
from tests.unit.cli.conftest import Command, Recorded


def test_show_takes_the_newest_or_the_beginning_of_an_id(command: Command, recorded: Recorded) -> None:
    good, bad = recorded
    assert command("executions", "show").stdout.startswith(f"Execution {bad}\n")
    for wanted in (good, good[:-1], good[:-8]):
        assert command("executions", "show", wanted).stdout.startswith(f"Execution {good}\n")
    ambiguous = command("executions", "show", good[:4])
    assert ambiguous.exit_code == 2
    assert "Several ids begin with" in ambiguous.stderr


@pytest.mark.parametrize("wanted", ["nobody", "g", "01", "'; DROP TABLE pipelines"])
def test_an_unknown_id_is_one_line_on_stderr(command: Command, recorded: Recorded, wanted: str) -> None:
    wanted = recorded[0].replace("0", "1", 1) if wanted == "01" else wanted
    result = command("executions", "show", wanted)
    assert (result.exit_code, result.stdout) == (1, "")
    message = f"Error: No execution has the id {wanted!r}. List what there is: ia-modules executions list.\n"
    assert result.stderr == message


COMMANDS = [
    ["executions", "show"],
    ["executions", "logs"],
    ["executions", "export"],
    ["executions", "resume"],
    ["executions", "watch"],
    ["executions", "cancel"],
    ["executions", "rerun"],
    ["executions", "delete", "--yes"],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: arguments[1])
def test_another_spelling_of_an_id_is_the_id_of_nothing(
    command: Command, recorded: Recorded, arguments: list[str]
) -> None:
    unknown = command(*arguments, new_id())
    for text in disguises(recorded[0]):
        if text in (recorded[0][:-1], f" {recorded[0]}"):
            continue  # how it begins
        result = command(*arguments, text)
        assert (result.exit_code, result.stdout) == (unknown.exit_code, unknown.stdout) != (0, ""), text
        assert "Traceback" not in result.stderr


def test_there_is_nothing_to_show_at_first(command: Command) -> None:
    result = command("executions", "show")
    assert (result.exit_code, result.stderr) == (1, "Error: There are no executions yet.\n")
