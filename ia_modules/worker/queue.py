"""Queueing for workers; it stands in :mod:`ia_modules.tracker.queue`, where the rows are."""

from ia_modules.tracker.queue import Queued, enqueue

__all__ = ["Queued", "enqueue"]
