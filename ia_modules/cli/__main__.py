"""``python -m ia_modules.cli``: the command line where the script ``ia-modules`` is not on the path."""

from ia_modules.cli.app import app

app(prog_name="ia-modules")
