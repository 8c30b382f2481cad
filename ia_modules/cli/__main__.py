"""``python -m ia_modules.cli``: the command line where the script ``ia-modules`` is not on the path."""

import os
import sys

if not sys.flags.safe_path and sys.path[0] == os.getcwd():  # noqa: PTH109 - as Python has put it there
    del sys.path[0]  # the script has it not either: --project says what may be imported from where

from ia_modules.cli.app import app

app(prog_name="ia-modules")
