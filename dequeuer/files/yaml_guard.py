"""Limits a YAML document before it is composed. It takes 2 MiB to import: only a process with such a file needs it."""

from __future__ import annotations

from typing import Any

import yaml

from dequeuer.files.reading import MAX_DEPTH

SAFE_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def find_too_deep(text: bytes | str) -> yaml.Event | None:
    """Return the first list or mapping that is nested more than `MAX_DEPTH` deep.

    The C composer recurses without a limit: a file of nothing but brackets would crash the process.

    Raises:
        YAMLError: the text is no YAML.
    """
    depth = 0
    for event in yaml.parse(text, Loader=SAFE_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            return event
    return None
