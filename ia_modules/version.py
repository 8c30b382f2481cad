"""The release of the program: what the schema requires, workers report and commands print."""

__version__ = "0.1.0"
