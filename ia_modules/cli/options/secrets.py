"""Secrets of who starts ``serve`` or ``worker``: taken once, then gone from where the code of a step could look.

A step sees what its process was started with: in ``os.environ``, in the environment of each child, and on Linux in
``/proc/self/environ`` and ``/proc/self/cmdline``, which nothing that the process does changes. So there the process
begins again in its own place, with the same id, files and terminal, and gets the secrets through a file in memory that
has no name and is closed when it has been read.

Not promised: that code which searches the memory of its own process does not find them.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import typer

from ia_modules.database.url import with_password, without_secrets

API_KEYS, PASSWORD, DATABASE_URL = "IA_MODULES_API_KEYS", "PGPASSWORD", "DATABASE_URL"
_HANDED_OVER = "IA_MODULES_HANDED_OVER"  # the number of the open file with the secrets
_OPTION = "--db"


@dataclass(frozen=True, slots=True)
class Secrets:
    """What was taken.

    Attributes:
        variables: environment variables that are secrets, by name.
        urls: database URLs with a password, by what they are without it.
    """

    variables: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    urls: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    @property
    def api_keys(self) -> str:
        """What ``IA_MODULES_API_KEYS`` was; empty when it was not set."""
        return self.variables.get(API_KEYS, "")

    def full_url(self, database_url: str) -> str:
        """The database URL with the password that was taken out of it, or else the one of ``PGPASSWORD``."""
        return with_password(self.urls.get(database_url, database_url), self.variables.get(PASSWORD))


def secrets_of(context: typer.Context) -> Secrets:
    """The secrets that the program took when it started; where the command line is a part of another program, its own.

    What is only read stays where it is: the environment of another program is not changed.
    """
    taken = context.find_object(Secrets)
    return Secrets({API_KEYS: os.environ.get(API_KEYS, "")}) if taken is None else taken


def take_secrets() -> Secrets:
    """Take the secrets out of the environment and the arguments of this process, which must do nothing else yet.

    On Linux, where there are any, this does not return: the program begins again without them.
    """
    handed_over = _received(os.environ.pop(_HANDED_OVER, ""))
    if handed_over is not None:
        return handed_over
    secrets, environment, arguments = separated(os.environ, sys.orig_argv)
    if secrets == Secrets():
        return secrets
    if sys.platform == "linux" and sys.executable:
        try:
            _begin_again(secrets, environment, arguments)
        except OSError as error:
            sys.stderr.write(f"Warning: /proc/{os.getpid()}/environ goes on showing the server's secrets: {error}.\n")
    for name in secrets.variables:
        del os.environ[name]
    os.environ.update({name: environment[name] for name in (DATABASE_URL,) if name in environment})
    return secrets


def separated(environment: Mapping[str, str], arguments: Sequence[str]) -> tuple[Secrets, dict[str, str], list[str]]:
    """The secrets in an environment and in arguments, and both without them."""
    variables = {name: environment[name] for name in (API_KEYS, PASSWORD) if name in environment}
    shown = {name: value for name, value in environment.items() if name not in variables}
    if DATABASE_URL in shown:
        shown[DATABASE_URL] = without_secrets(shown[DATABASE_URL])
    urls = {shown[name]: environment[name] for name in (DATABASE_URL,) if name in shown}
    shown_arguments: list[str] = []
    for before, argument in zip(["", *arguments], arguments, strict=False):
        option, equals, url = argument.partition("=")
        if before == _OPTION:
            option, equals, url = "", "", argument
        if before == _OPTION or (option, equals) == (_OPTION, "="):
            urls = {without_secrets(url): url}  # the option goes before the environment
            argument = f"{option}{equals}{without_secrets(url)}"
        shown_arguments.append(argument)
    secret_urls = {safe: url for safe, url in urls.items() if safe != url}
    return Secrets(variables, secret_urls), shown, shown_arguments


def _begin_again(secrets: Secrets, environment: Mapping[str, str], arguments: Sequence[str]) -> None:
    file = os.memfd_create("secrets", 0)  # 0: it stays open in what begins now
    try:
        os.write(file, json.dumps(asdict(secrets)).encode())
        os.lseek(file, 0, os.SEEK_SET)
        os.execve(  # noqa: S606 - the program itself, as it was started
            sys.executable, [sys.executable, *arguments[1:]], {**environment, _HANDED_OVER: str(file)}
        )
    finally:
        os.close(file)


def _received(number: str) -> Secrets | None:
    """The secrets in the open file of that number, which is closed; None: there is no such file."""
    if not number.isdecimal():
        return None
    try:
        with open(int(number), "rb") as file:  # noqa: PTH123 - a number, no path
            return Secrets(**json.load(file))
    except (OSError, ValueError):
        return None
