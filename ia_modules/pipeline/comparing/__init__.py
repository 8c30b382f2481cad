"""Two executions beside each other: what differs, and where they first went different ways. Pure."""
