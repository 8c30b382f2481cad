"""The work that all are measured by: five no-op steps, 500 bytes in and out of each. Only the standard library."""

STEPS, RECORDS = 5, 12
"""One execution: the start and the end of it and of each of its steps is a record."""

PAYLOAD = {"text": "x" * 480}
