"""The Content-Type of objects; used by both clients."""

from __future__ import annotations

UNTYPED = "binary/octet-stream"
"""Content-Type in responses of S3 for an object that was stored without one."""


def header_safe(content_type: str) -> str:
    """Return a submitted Content-Type, or `UNTYPED` when a header cannot carry it: it could add header fields."""
    return content_type if content_type.isascii() and content_type.isprintable() else UNTYPED
