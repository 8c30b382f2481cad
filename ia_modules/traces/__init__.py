"""Executions as traces of OpenTelemetry: one trace an execution, one span an attempt, written from the records."""
