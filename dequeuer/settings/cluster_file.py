"""Reads the cluster's configuration file, cluster.yaml."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from dequeuer.files.reading import UnreadableError, read_bounded

MAX_BYTES = 2**20


def read_cluster_file(path: str, keys: Collection[str]) -> dict[str, Any]:
    """Return the values of `keys`; a key that is absent or null is left out. The types are unchecked.

    Raises:
        UnreadableError: there is no such file, it cannot be read, or it is no YAML mapping.
    """
    data = read_bounded(path, MAX_BYTES)
    # It takes 2 MiB, and only a process with such a file needs it.
    from dequeuer.files.yaml_guard import load_yaml  # noqa: PLC0415

    content = load_yaml(data)
    if not isinstance(content, dict):
        raise UnreadableError("is no YAML mapping (`region: us-west-2`)")
    return {key: content[key] for key in keys if content.get(key) is not None}
