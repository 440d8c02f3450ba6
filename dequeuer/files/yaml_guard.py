"""Reads YAML, limited before it is composed. It takes 2 MiB to import: only a process with such a file needs it."""

from __future__ import annotations

from typing import Any

import yaml

from dequeuer.files.reading import MAX_DEPTH, UnreadableError

SAFE_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_yaml(data: bytes) -> object:
    """Return the content of a document; None of an empty one.

    Raises:
        UnreadableError: it is no YAML, or nested too deep. Its text has the position alone: that of YAML's own error
            quotes the file, which may hold secrets.
    """
    try:
        if find_too_deep(data) is None:
            return yaml.load(data, Loader=SAFE_LOADER)  # noqa: S506 - both loaders are the safe ones
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise UnreadableError(f"is no YAML{where}") from None
    except Exception:  # noqa: BLE001 - PyYAML raises KeyError, AttributeError and others for odd values
        raise UnreadableError("is no YAML, or holds a value that is none") from None
    raise UnreadableError(f"is no YAML that is read here: it is nested more than {MAX_DEPTH} deep")


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
