"""The command line, ``ia-modules``: ``app.py`` puts the commands together."""
