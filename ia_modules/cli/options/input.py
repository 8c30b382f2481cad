"""``--input`` and ``--response``: JSON itself, ``@`` and a file, or ``-`` for standard input."""

import sys
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from ia_modules.cli.output.terminal import plain
from ia_modules.errors import PayloadError, PipelineDefinitionError
from ia_modules.models import Json
from ia_modules.payload import encode
from ia_modules.pipeline.document.wording import kind_of
from ia_modules.pipeline.loader import document_of

Input = Annotated[
    str | None,
    typer.Option(
        "--input", "-i", metavar="JSON|@FILE|-", help="The input, an object: JSON itself, @ and a file, - for stdin."
    ),
]


Response = Annotated[
    str,
    typer.Option(
        "--response", "-r", metavar="JSON|@FILE|-", help="The answer: JSON itself, @ and a file, - for stdin."
    ),
]


StepInputOption = Annotated[
    str | None,
    typer.Option(
        "--step-input", metavar="JSON|@FILE|-", help="With --from: what that one run gets instead, an object."
    ),
]

StepOutputOption = Annotated[
    str | None,
    typer.Option(
        "--step-output", metavar="JSON|@FILE|-", help="With --from: the result of that run, which does not run then."
    ),
]


def read_response(written: str) -> Json:
    """The value of the option.

    Raises:
        BadParameter: it cannot be read, or is not JSON; says what was found where.
    """
    return _read(written, "--response")


def read_input(written: str | None) -> dict[str, Any]:
    """The object of the option; empty without the option.

    Raises:
        BadParameter: it cannot be read, or is not a JSON object; says what was found where.
    """
    return read_object(written, "--input") or {}


def read_object(written: str | None, option: str) -> dict[str, Any] | None:
    """The object of an option; None without the option. Raises as :func:`read_input`."""
    if written is None:
        return None
    value = _read(written, option)
    if not isinstance(value, dict):
        raise _refused(f"found {kind_of(value)}; expected an object, such as '{{\"day\": 24}}'.", option)
    return value


def read_result(written: str | None, option: str) -> Json:
    """The value of an option, which is not null; None without the option. Raises as :func:`read_response`."""
    if written is None:
        return None
    value = _read(written, option)
    if value is None:
        raise _refused("found null, which is no result; expected an object, or another value.", option)
    return value


def read_text(written: str, option: str) -> str:
    """The text of an option itself, of ``@`` and a file, or of ``-``, without white space around it.

    Raises:
        BadParameter: it cannot be read.
    """
    return _text_of(written, option).strip()


def _read(written: str, option: str) -> Json:
    try:
        value = document_of(_text_of(written, option))
        encode(value, option.removeprefix("--"))
    except PipelineDefinitionError as wrong:
        first = wrong.problems[0]
        raise _refused(f"at {first.where} found {first.found}; expected {first.expected}.", option) from None
    except PayloadError as wrong:
        raise _refused(str(wrong), option) from None
    return cast("Json", value)


def _text_of(written: str, option: str) -> str:
    try:
        if written == "-":
            return sys.stdin.read()
        return Path(written[1:]).read_text(encoding="utf-8-sig") if written.startswith("@") else written
    except OSError as error:
        raise _refused(f"{written[1:]!r} cannot be read: {error.strerror or error}.", option) from None
    except UnicodeDecodeError as error:
        raise _refused(f"{written!r} is not UTF-8 at byte {error.start}.", option) from None


def _refused(message: str, option: str) -> typer.BadParameter:
    return typer.BadParameter(plain(message), param_hint=option)
