"""The routes, one file per subject, and what every answer has in common."""
