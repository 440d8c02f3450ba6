"""Reads `cli.yaml`, and replaces it by a whole one. It may be read-only: in the pods of Cortex it is a mounted file."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

from dequeuer.core.errors import ConfigurationError, clip
from dequeuer.cortex_command.environments import Environments
from dequeuer.files.reading import AbsentError, UnreadableError, read_bounded
from dequeuer.files.replacing import OWN_FILE, replaced
from dequeuer.files.yaml_guard import load_yaml

NAME: Final = "cli.yaml"
MAX_BYTES: Final = 1 << 20
_OWN_FOLDER: Final = 0o700


def read_environments(folder: Path) -> Environments:
    """Return what the file holds; nothing when there is none. Raises `ConfigurationError`."""
    path = str(folder / NAME)
    try:
        content = load_yaml(read_bounded(path, MAX_BYTES))
    except AbsentError:
        return Environments({}, path)
    except UnreadableError as error:
        raise ConfigurationError(
            [f"{clip(path)} {error}; correct it, or name another folder in CORTEX_CLI_CONFIG_DIR"]
        ) from None
    if content is not None and not isinstance(content, dict):
        raise ConfigurationError([f"{clip(path)}: is no mapping; correct it"])
    return Environments(content or {}, path)


@contextlib.contextmanager
def changed_environments(folder: Path) -> Iterator[Environments]:
    """Yield what the file holds, and write it when the context ends without an error. Others wait meanwhile.

    Raises:
        ConfigurationError: the file has faults, or cannot be written.
    """
    try:
        folder.mkdir(mode=_OWN_FOLDER, parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise _unwritable(folder, error) from None
    try:
        # Of the folder: the file itself is replaced, and a lock of it would be one of the old file.
        fcntl.flock(lock, fcntl.LOCK_EX)
        environments = read_environments(folder)
        yield environments
        try:
            path = folder / NAME
            # A new one is its owner's alone: older versions of Cortex kept AWS keys in it.
            rights = path.stat().st_mode & 0o777 if path.exists() else OWN_FILE
            with replaced(path, rights) as file:
                file.write(yaml.safe_dump(environments.content, sort_keys=False).encode())
        except OSError as error:
            raise _unwritable(folder / NAME, error) from None
    finally:
        os.close(lock)


def _unwritable(path: Path, error: OSError) -> ConfigurationError:
    why = clip(error.strerror or type(error).__name__)
    return ConfigurationError(
        [f"{clip(str(path))} cannot be written ({why}); name a folder of yours in CORTEX_CLI_CONFIG_DIR"]
    )
