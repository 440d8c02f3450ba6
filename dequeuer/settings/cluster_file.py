"""Reads the cluster's configuration file, cluster.yaml."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from dequeuer.files.reading import MAX_DEPTH, UnreadableError, read_bounded

MAX_BYTES = 2**20


def read_cluster_file(path: str, keys: Collection[str]) -> dict[str, Any]:
    """Return the values of `keys`; a key that is absent or null is left out. The types are unchecked.

    Raises:
        UnreadableError: there is no such file, it cannot be read, or it is no YAML mapping.
    """
    content = _load(read_bounded(path, MAX_BYTES))
    if not isinstance(content, dict):
        raise UnreadableError(f"is no YAML mapping (`region: us-west-2`), or is nested more than {MAX_DEPTH} deep")
    return {key: content[key] for key in keys if content.get(key) is not None}


def _load(data: bytes) -> object:
    """Return the content of a YAML document; None if it is nested more than `MAX_DEPTH` deep."""
    # It takes 2 MiB, and only a process with such a file needs it.
    import yaml  # noqa: PLC0415

    from dequeuer.files.yaml_guard import SAFE_LOADER, find_too_deep  # noqa: PLC0415

    try:
        if find_too_deep(data) is not None:
            return None
        return yaml.load(data, Loader=SAFE_LOADER)  # noqa: S506 - both loaders are the safe ones
    except yaml.MarkedYAMLError as error:
        # Only the position: the error's own text quotes the file, which may hold secrets.
        mark = error.problem_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise UnreadableError(f"is no YAML{where}") from None
    except Exception:  # noqa: BLE001 - PyYAML raises KeyError, AttributeError and others for odd values
        raise UnreadableError("is no YAML, or holds a value that is none") from None
