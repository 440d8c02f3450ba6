"""Which Content-Type says JSON."""

from __future__ import annotations

import re

JSON = "application/json"
_VALUES = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*"?)+')
"""The values of a list: a comma in a quoted parameter separates none."""


def is_json(content_type: str | None) -> bool:
    """Tell whether it is `application/json`, in any case and with any parameters.

    Of a field that is repeated, on lines of its own or behind a comma, every value has to say so: an answer is not
    judged by the value that happens to come first.
    """
    if content_type is None:
        return False
    if content_type == JSON:
        return True
    values = [value for value in _VALUES.findall(content_type) if value.strip(" \t")]
    return bool(values) and all(value.partition(";")[0].strip(" \t").lower() == JSON for value in values)
