"""The command line, ``ia-modules``: one file per group of commands; ``app.py`` puts them together."""
