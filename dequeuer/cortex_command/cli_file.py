"""Reads `cli.yaml`, and replaces it by a whole one. It may be read-only: in the pods of Cortex it is a mounted file."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

from dequeuer.core.errors import ConfigurationError, clip
from dequeuer.cortex_command.environments import Environments
from dequeuer.files.reading import MAX_DEPTH, AbsentError, UnreadableError, read_bounded
from dequeuer.files.yaml_guard import SAFE_LOADER, find_too_deep

NAME: Final = "cli.yaml"
MAX_BYTES: Final = 1 << 20
_OWN_FILE: Final = 0o600
"""For a new file: older versions of Cortex kept AWS keys in it."""
_OWN_FOLDER: Final = 0o700


def read_environments(folder: Path) -> Environments:
    """Return what the file holds; nothing when there is none. Raises `ConfigurationError`."""
    path = str(folder / NAME)
    try:
        data = read_bounded(path, MAX_BYTES)
    except AbsentError:
        return Environments({}, path)
    except UnreadableError as error:
        raise ConfigurationError(
            [f"{clip(path)} {error}; correct it, or name another folder in CORTEX_CLI_CONFIG_DIR"]
        ) from None
    return Environments(_parsed(data, path), path)


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
            _replace(Path(os.path.realpath(folder / NAME)), yaml.safe_dump(environments.content, sort_keys=False))
        except OSError as error:
            raise _unwritable(folder / NAME, error) from None
    finally:
        os.close(lock)


def _parsed(data: bytes, path: str) -> dict[str, object]:
    try:
        too_deep = find_too_deep(data)
        content = None if too_deep is not None else yaml.load(data, Loader=SAFE_LOADER) or {}  # noqa: S506 - it is safe
    except yaml.MarkedYAMLError as error:
        # The error's own text quotes the file, which may hold secrets.
        mark = error.problem_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise ConfigurationError([f"{clip(path)}: is no YAML{where}; correct it"]) from None
    except Exception:  # noqa: BLE001 - PyYAML raises KeyError, AttributeError and others for odd values
        raise ConfigurationError([f"{clip(path)}: is no YAML; correct it"]) from None
    if not isinstance(content, dict):
        raise ConfigurationError([f"{clip(path)}: is no mapping, or nested more than {MAX_DEPTH} deep; correct it"])
    return content


def _replace(path: Path, text: str) -> None:
    mode = path.stat().st_mode & 0o777 if path.exists() else _OWN_FILE
    part = path.with_name(f".{NAME}.{secrets.token_hex(4)}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWN_FILE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(mode)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _unwritable(path: Path, error: OSError) -> ConfigurationError:
    why = clip(error.strerror or type(error).__name__)
    return ConfigurationError(
        [f"{clip(str(path))} cannot be written ({why}); name a folder of yours in CORTEX_CLI_CONFIG_DIR"]
    )
