"""The live view: what wakes readers of executions, and what sockets are sent."""
