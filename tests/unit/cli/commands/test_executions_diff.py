import json

from tests.unit.cli.conftest import Command, Recorded


def test_without_another_it_is_compared_with_the_last_good_one(command: Command, recorded: Recorded) -> None:
    good, bad = recorded
    result = command("executions", "diff", bad)
    assert result.exit_code == 1
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0].split() == ["ID", "STATUS", "TOOK", "PIPELINE", "STARTED"]
    assert lines[1].startswith(f"A {bad} failed")
    assert lines[2].startswith(f"B {good} completed")
    assert "First divergence: download is the first that got another input." in lines
    header = lines.index("STEP A B INPUT OUTPUT PATHS TOOK A TOOK B")
    assert lines[header + 1].startswith("> download completed completed differs differs -")
    assert lines[header + 2].startswith("score failed - - - -")
    assert "0 the same, 1 different, 1 only in A, 0 only in B." in lines
    assert lines.index("download: input") > header
    start = lines.index("The input of the execution")
    assert lines[start + 1 : start + 4] == ["$", "A not there", 'B {"day":24}']


def test_one_beside_itself_does_not_differ(command: Command, recorded: Recorded) -> None:
    good, _ = recorded
    result = command("executions", "diff", good, good)
    assert result.exit_code == 0
    assert "No divergence." in result.stdout
    assert "1 the same, 0 different, 0 only in A, 0 only in B." in result.stdout


def test_as_json_it_is_the_whole_comparison(command: Command, recorded: Recorded) -> None:
    good, bad = recorded
    result = command("executions", "diff", bad[:30], good, "--json")
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert (answer["a"]["execution_id"], answer["b"]["execution_id"]) == (bad, good)
    assert answer["divergence"]["kind"] == "input"
    assert answer["counts"] == {"same": 0, "different": 1, "only_a": 1, "only_b": 0}
    assert answer["steps"][0]["input"]["changes"] == [
        {"path": "$", "a": '{"url":"x"}', "b": None, "a_bytes": 11, "b_bytes": 0}
    ]


def test_what_cannot_be_compared_is_refused_with_the_reason(command: Command, recorded: Recorded) -> None:
    good, _ = recorded
    alone = command("executions", "diff", good)
    assert alone.exit_code == 2
    assert "No execution of 'Nightly import' completed before" in alone.stderr
    unknown = command("executions", "diff", good, "nobody")
    assert unknown.exit_code == 2
    assert "No execution has the id 'nobody'" in unknown.stderr
