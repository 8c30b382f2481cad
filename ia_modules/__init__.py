"""Run pipelines, graphs of steps, with every execution and step on record in SQLite or PostgreSQL."""

__version__ = "0.1.0"
