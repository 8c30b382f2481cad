"""The command line as a program: the script ``ia-modules``, and ``python -m ia_modules.cli``."""

import os
import sys
from contextlib import suppress

with suppress(FileNotFoundError):  # the current folder was deleted
    if not sys.flags.safe_path and sys.path[0] == os.getcwd():  # noqa: PTH109 - as Python has put it there
        del sys.path[0]  # the script has it not either: --project says what may be imported from where

from ia_modules.cli.options.secrets import take_secrets

_RUN_CODE_OF_OTHERS = ("serve", "worker")


def main() -> None:
    """Run a command. Those that run what others have queued keep their own secrets from it."""
    command = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    secrets = take_secrets() if command in _RUN_CODE_OF_OTHERS else None

    from ia_modules.cli.app import app  # only now: what begins again has not loaded it twice

    app(prog_name="ia-modules", obj=secrets)


if __name__ == "__main__":
    main()
