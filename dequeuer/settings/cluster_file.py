"""Reads the cluster's configuration file, cluster.yaml."""

from __future__ import annotations

import stat
from collections.abc import Collection
from pathlib import Path
from typing import Any

from dequeuer.core.errors import clip

MAX_BYTES = 2**20
MAX_DEPTH = 100


class UnreadableError(Exception):
    """The file is not there, or is no YAML mapping. The text follows the path in a fault."""


def read_cluster_file(path: str, keys: Collection[str]) -> dict[str, Any]:
    """Return the values of `keys`; a key that is absent or null is left out. The types are unchecked.

    Raises:
        UnreadableError: there is no such file, it cannot be read, or it is no YAML mapping.
    """
    content = _load(_read(path))
    if not isinstance(content, dict):
        raise UnreadableError(f"is no YAML mapping (`region: us-west-2`), or is nested more than {MAX_DEPTH} deep")
    return {key: content[key] for key in keys if content.get(key) is not None}


def is_absent(path: str) -> bool:
    """Return whether nothing is at `path`. A path that cannot be examined is not absent: reading it gives the cause."""
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _read(path: str) -> bytes:
    try:
        # Opening a pipe would block the start for ever.
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise UnreadableError("is no regular file")
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UnreadableError(f"cannot be read ({clip(error.strerror or type(error).__name__)})") from None
    if len(data) > MAX_BYTES:
        raise UnreadableError(f"is larger than {MAX_BYTES} bytes")
    return data


def _load(data: bytes) -> object:
    """Return the content of a YAML document; None if it is nested more than `MAX_DEPTH` deep."""
    import yaml  # noqa: PLC0415 - it takes 2 MiB, and only a process with such a file needs it

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        # The C loader recurses without a limit: a file of nothing but brackets would crash the process.
        depth = 0
        for event in yaml.parse(data, Loader=loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                return None
        return yaml.load(data, Loader=loader)  # noqa: S506 - both loaders are the safe ones
    except yaml.MarkedYAMLError as error:
        # Only the position: the error's own text quotes the file, which may hold secrets.
        mark = error.problem_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise UnreadableError(f"is no YAML{where}") from None
    except Exception:  # noqa: BLE001 - PyYAML raises KeyError, AttributeError and others for odd values
        raise UnreadableError("is no YAML, or holds a value that is none") from None
