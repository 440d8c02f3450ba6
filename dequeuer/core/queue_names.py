"""Names of queues."""

from __future__ import annotations


def queue_name(queue_url: str) -> str:
    """Return the name of a queue: the end of its URL."""
    return queue_url.rstrip("/").rpartition("/")[2]
