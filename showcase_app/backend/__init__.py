"""The server: routes over the services, nothing of its own in memory."""
