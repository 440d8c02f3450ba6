"""A cortex.yaml for people without one: APIs with sample containers, or one with the user's command."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

from dequeuer.dev.local_aws import API_NAME
from dequeuer.dev.request_specs import SAMPLE_CONTAINER

SAMPLE_REALTIME_CONTAINER = (sys.executable, "-P", "-m", "dequeuer.dev.sample_realtime_container", "--port")
"""The command of the built-in container of a realtime API, without its port."""
_REALTIME_QUEUE_LENGTH = 100
DEMO_REALTIME: Final = "hello"
DEMO_ASYNC: Final = "text"
DEMO_BATCH: Final = "items"
"""The names of the APIs of a demo."""


def write_sample_project(
    directory: Path, command: Sequence[str], kind: Literal["batch", "realtime"] = "batch", workers: int = 1
) -> Path:
    """Write the file, and return its path.

    Args:
        directory: where to.
        command: the user's; empty: the sample container.
        kind: of the API.
        workers: requests at a time of a realtime API.
    """
    if command:
        # Containers run in the folder of the file, and this command belongs to the folder in which it was typed.
        container = ["sh", "-c", 'cd "$0" && exec "$@"', _literal(str(Path.cwd())), *command]
    else:
        container = _sample(SAMPLE_CONTAINER if kind == "batch" else SAMPLE_REALTIME_CONTAINER)
    api = _api(API_NAME, "BatchAPI", container) if kind == "batch" else _realtime(API_NAME, container, workers)
    return _write(directory, [api])


def write_demo_project(directory: Path, workers: int) -> Path:
    """Write a file with a sample of each kind, and return its path.

    Args:
        directory: where to.
        workers: requests at a time of the async and of the realtime API.
    """
    requests = _api(DEMO_ASYNC, "AsyncAPI", _sample(SAMPLE_CONTAINER), max_concurrency=workers)
    realtime = _realtime(DEMO_REALTIME, _sample(SAMPLE_REALTIME_CONTAINER), workers)
    return _write(directory, [realtime, requests, _api(DEMO_BATCH, "BatchAPI", _sample(SAMPLE_CONTAINER))])


def _sample(command: Sequence[str]) -> list[str]:
    return [*map(_literal, command), "$(CORTEX_PORT)"]


def _realtime(name: str, container: list[str], workers: int) -> dict[str, Any]:
    return _api(name, "RealtimeAPI", container, max_concurrency=workers, max_queue_length=_REALTIME_QUEUE_LENGTH)


def _api(name: str, kind: str, container: list[str], **pod: int) -> dict[str, Any]:
    containers = [{"name": "api", "image": "sample", "command": container}]
    return {"name": name, "kind": kind, "pod": {"containers": containers, **pod}}


def _write(directory: Path, apis: list[dict[str, Any]]) -> Path:
    path = directory / "cortex.yaml"
    path.write_text(json.dumps(apis, indent=2), encoding="utf-8")  # JSON is YAML
    return path


def _literal(text: str) -> str:
    """Return the text as it has to be written where `$(NAME)` is a reference."""
    return text.replace("$", "$$")
