"""A cortex.yaml for people without one: a BatchAPI with the sample container, or with the user's command."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from dequeuer.dev.local_aws import API_NAME
from dequeuer.dev.request_specs import SAMPLE_CONTAINER


def write_sample_project(directory: Path, command: Sequence[str]) -> Path:
    """Write the file, and return its path. `command`: the user's; empty: the sample container."""
    if command:
        # Containers run in the folder of the file, and this command belongs to the folder in which it was typed.
        container = ["sh", "-c", 'cd "$0" && exec "$@"', _literal(str(Path.cwd())), *command]
    else:
        container = [*map(_literal, SAMPLE_CONTAINER), "$(CORTEX_PORT)"]
    api = {
        "name": API_NAME,
        "kind": "BatchAPI",
        "pod": {"containers": [{"name": "api", "image": "sample", "command": container}]},
    }
    path = directory / "cortex.yaml"
    path.write_text(json.dumps([api], indent=2), encoding="utf-8")  # JSON is YAML
    return path


def _literal(text: str) -> str:
    """Return the text as it has to be written where `$(NAME)` is a reference."""
    return text.replace("$", "$$")
