"""Manifests from values: Helm's library as a Python package where it is installed, else the program `helm`."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from dequeuer.core.errors import clip

TIMEOUT_S: Final = 60
MAX_ERROR: Final = 10_000
"""Characters that are shown of what Helm says: the chart lists all faults at once."""

_NO_HELM: Final = (
    "--plain needs Helm: `pip install 'dequeuer[manifests]'`, or the program helm on PATH; without --plain the values "
    "are printed, for `helm install` elsewhere"
)


class RenderError(Exception):
    """There is no Helm, or it refuses the values. The text says what to do."""


def render(values: Mapping[str, Any], chart: Path, release: str, namespace: str) -> str:
    """Return the manifests, as `helm template` prints them.

    Raises:
        RenderError: there is no Helm, no chart, or the chart refuses the values.
    """
    if not (chart / "Chart.yaml").is_file():
        raise RenderError(
            f"{clip(str(chart))} is no chart: it has no Chart.yaml; name the "
            "folder deploy/chart of a clone with --chart"
        )
    try:
        library: Any = importlib.import_module("helm_python")
    except ImportError:
        return _render_by_program(values, chart, release, namespace)
    try:
        files: Mapping[str, str] = library.Chart.load(chart).render(dict(values), name=release, namespace=namespace)
    except library.HelmError as error:
        raise RenderError(_refusal(str(error))) from None
    kept = (text.strip("\n") for name, text in sorted(files.items()) if not name.endswith(".txt"))
    return "".join(f"---\n{text}\n" for text in kept if text.strip())


def _render_by_program(values: Mapping[str, Any], chart: Path, release: str, namespace: str) -> str:
    program = shutil.which("helm")
    if program is None:
        raise RenderError(_NO_HELM)
    command = [program, "template", release, str(chart), "--namespace", namespace, "--values", "-"]
    try:
        found = subprocess.run(  # noqa: S603 - the program that the person has installed
            command, input=json.dumps(values), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RenderError(f"{program} cannot be run: {clip(str(error))}") from None
    if found.returncode != 0:
        raise RenderError(_refusal(found.stderr))
    return found.stdout


def _refusal(text: str) -> str:
    return f"Helm refuses the values:\n{clip(text.strip(), MAX_ERROR) if len(text) > MAX_ERROR else text.strip()}"
