"""A cortex.yaml for people without one: an API with a sample container, or with the user's command."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from dequeuer.dev.local_aws import API_NAME
from dequeuer.dev.request_specs import SAMPLE_CONTAINER

SAMPLE_REALTIME_CONTAINER = (sys.executable, "-P", "-m", "dequeuer.dev.sample_realtime_container", "--port")
"""The command of the built-in container of a realtime API, without its port."""
_REALTIME_QUEUE_LENGTH = 100


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
        sample = SAMPLE_CONTAINER if kind == "batch" else SAMPLE_REALTIME_CONTAINER
        container = [*map(_literal, sample), "$(CORTEX_PORT)"]
    pod: dict[str, Any] = {"containers": [{"name": "api", "image": "sample", "command": container}]}
    if kind == "realtime":
        pod |= {"max_concurrency": workers, "max_queue_length": _REALTIME_QUEUE_LENGTH}
    api = {"name": API_NAME, "kind": "BatchAPI" if kind == "batch" else "RealtimeAPI", "pod": pod}
    path = directory / "cortex.yaml"
    path.write_text(json.dumps([api], indent=2), encoding="utf-8")  # JSON is YAML
    return path


def _literal(text: str) -> str:
    """Return the text as it has to be written where `$(NAME)` is a reference."""
    return text.replace("$", "$$")
