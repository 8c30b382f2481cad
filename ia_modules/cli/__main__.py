"""The command line as a program: the script ``ia-modules``, and ``python -m ia_modules.cli``."""

import os
import sys

try:
    if not sys.flags.safe_path and sys.path[0] == os.getcwd():  # noqa: PTH109 - as Python has put it there
        del sys.path[0]  # the script has it not either: --project says what may be imported from where
except FileNotFoundError:  # the current folder was deleted
    pass

_RUN_CODE_OF_OTHERS = ("serve", "worker")


def main() -> None:
    """Run a command. Those that run what others have queued keep their own secrets from it."""
    if sys.argv[1:] == ["--version"]:
        from ia_modules.version import __version__

        sys.stdout.write(f"ia-modules {__version__}\n")  # as the option does it, without what commands are made of
        return
    command = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    secrets = None
    if command in _RUN_CODE_OF_OTHERS:
        from ia_modules.cli.options.secrets import take_secrets

        secrets = take_secrets()
    from ia_modules.cli.app import app  # only now: what begins again has not loaded it twice

    app(prog_name="ia-modules", obj=secrets)


if __name__ == "__main__":
    main()
