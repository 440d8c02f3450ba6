"""Which Content-Type says JSON."""

from __future__ import annotations


def is_json(content_type: str | None) -> bool:
    """Tell whether it is `application/json`, in any case and with any parameters."""
    return content_type is not None and content_type.partition(";")[0].strip(" \t").lower() == "application/json"
