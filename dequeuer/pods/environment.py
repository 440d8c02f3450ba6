"""The environment of containers, and `$(NAME)` in their commands."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

CLI_FOLDER: Final = "cortex/client"
_REFERENCE = re.compile(r"\$(?:\$|\(([-._A-Za-z0-9]+)\))")


def expand(text: str, environment: Mapping[str, str]) -> str:
    """Return the text with references replaced as Kubernetes does: an unknown one stays, `$$` is a dollar sign."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        return "$" if name is None else environment.get(name, match.group(0))

    return _REFERENCE.sub(value, text)


def expand_all(texts: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """Return each text with its references replaced."""
    return [expand(text, environment) for text in texts]


def container_environment(
    inherited: Mapping[str, str], *, version: str, port: int | None, root: Path | None, own: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment of a container.

    Args:
        inherited: of the program that starts it; settings of this project are left out.
        version: of Cortex.
        port: that the container has to listen on; None: a task has none.
        root: the folder that stands for the root, when the container does not see `/cortex` itself.
        own: `env` of the container in cortex.yaml.
    """
    kept = {name: value for name, value in inherited.items() if not name.startswith(("DEQUEUER_", "CORTEX_"))}
    top = Path("/") if root is None else root
    cortex = {
        "CORTEX_VERSION": version,
        "CORTEX_LOG_LEVEL": "INFO",
        "CORTEX_CLI_CONFIG_DIR": str(top / CLI_FOLDER),
        **({"CORTEX_ROOT": str(root)} if root is not None else {}),
        **({"CORTEX_PORT": str(port)} if port is not None else {}),
    }
    result = {**kept, "PYTHONUNBUFFERED": "1", **cortex}
    for name in sorted(own):
        result[name] = expand(own[name], result)
    return result
