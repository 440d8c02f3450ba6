"""How programs of this project are started: without the models of cortex.yaml, which take 0.2 s to import."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import dequeuer


def program(*arguments: str) -> list[str]:
    """Return the command of a program of this project."""
    # -P: otherwise a queue.py in the working directory would replace Python's own module.
    return [sys.executable, "-P", "-m", "dequeuer", *arguments]


def own_environment(inherited: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a program of this project: what `inherited` has, and `own`."""
    source = Path(dequeuer.__file__).parent.parent
    path = inherited.get("PYTHONPATH", "")
    if source.name not in {"site-packages", "dist-packages"}:
        # It runs from its source tree. Children are started with -P, so the working directory is not searched.
        path = os.pathsep.join(filter(None, (str(source), path)))
    return {**inherited, **({"PYTHONPATH": path} if path else {}), **own}
