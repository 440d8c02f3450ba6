"""Which Content-Type means JSON."""

from __future__ import annotations

import re

JSON = "application/json"
_VALUES = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*"?)+')
"""Splits a list at its commas, but not at a comma inside a quoted parameter."""


def is_json(content_type: str | None) -> bool:
    """Return whether it is `application/json`, in any case and with any parameters.

    When the header is repeated (on several lines, or as a list with commas), every value must be JSON: the result
    must not depend on which value comes first.
    """
    if content_type is None:
        return False
    if content_type == JSON:
        return True
    values = [value for value in _VALUES.findall(content_type) if value.strip(" \t")]
    return bool(values) and all(value.partition(";")[0].strip(" \t").lower() == JSON for value in values)
