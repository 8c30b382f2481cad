"""What the documents show works: Python blocks run as programs, ``ia-modules`` commands exist.

A block that cannot run here says why, in a comment above it: ``<!-- not run: needs two hosts -->``.
The libraries for this run blocks inside the process of the tests; a reader runs a program, so this does too.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from markdown_it import MarkdownIt
from typer.testing import CliRunner

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
]
NOT_RUN = re.compile(r"<!-- not run: \S.*-->\s*")


class Block(NamedTuple):
    """A fenced block of code: its language, its text, and where it stands (``README.md:12``)."""

    language: str
    text: str
    where: str


def runnable_blocks(markdown: str, name: str) -> list[Block]:
    """The fenced blocks of a document, without those under a ``not run`` comment."""
    tokens = MarkdownIt().parse(markdown)
    return [
        Block(token.info.strip(), token.content, f"{name}:{token.map[0] + 1}")
        for before, token in zip([None, *tokens], tokens, strict=False)
        if token.type == "fence" and token.map and not (before and NOT_RUN.fullmatch(before.content))
    ]


def commands(block: Block) -> list[str]:
    """The ``$ ia-modules …`` lines of a block, continued lines joined, up to a pipe or a redirection."""
    lines = block.text.replace("\\\n", " ").splitlines()
    return [re.split(r"\s[|>&]", line)[0].removeprefix("$ ") for line in lines if line.startswith("$ ia-modules ")]


BLOCKS = [
    block
    for path in DOCUMENTS
    for block in runnable_blocks(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))
]
PROGRAMS = [pytest.param(block.text, id=block.where) for block in BLOCKS if block.language == "python"]
COMMANDS = [
    pytest.param(command, id=f"{block.where} {command}")
    for block in BLOCKS
    if block.language == "console"
    for command in commands(block)
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_python_block_runs_as_a_program(program: str, tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(program, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    done = subprocess.run(
        [sys.executable, "-W", "error", script],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


@pytest.mark.parametrize("command", COMMANDS)
def test_command_in_a_console_block_exists(command: str) -> None:
    from ia_modules.cli.app import app

    arguments = shlex.split(command)[1:]
    # --help answers before anything is done, and after an unknown command or option has been refused.
    result = CliRunner().invoke(app, [*arguments, "--help"])
    assert result.exit_code == 0, result.output


def test_only_a_comment_with_a_reason_keeps_a_block_from_running() -> None:
    markdown = "<!-- not run: two hosts -->\n```python\n1\n```\n<!-- not run: -->\n```python\n2\n```\n"
    markdown += "- in a list\n  ```sh\n  3\n  ```\n"
    assert runnable_blocks(markdown, "a.md") == [Block("python", "2\n", "a.md:6"), Block("sh", "3\n", "a.md:10")]


def test_commands_are_read_without_output_pipes_and_line_breaks() -> None:
    text = "$ ia-modules db \\\n    status\nsqlite 1\n$ ls\n$ ia-modules executions list --json | head > x\n"
    assert [c.split() for c in commands(Block("console", text, "a.md:1"))] == [
        ["ia-modules", "db", "status"],
        ["ia-modules", "executions", "list", "--json"],
    ]
