"""One module a command: what it is called with, and what it does."""
