"""What is said about the commands whose work is done otherwise here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from dequeuer.core.errors import clip

_ADVICE: Final[Mapping[str, str]] = {
    "deploy": (
        "this command deploys no APIs: convert the file with `dequeuer manifests {} > values.yaml`, then run `helm "
        "upgrade --install apis deploy/chart --values values.yaml`; `dequeuer dev -f {}` runs its APIs on this machine"
    ),
    "refresh": "this command replaces no pods: run `kubectl rollout restart deployment api-{}`",
    "delete": (
        "this command deletes no APIs: take {} out of the values of the chart, and run `helm upgrade` with them; "
        "`delete API JOB` stops a job"
    ),
    "logs": (
        "this command reads no logs: run `kubectl logs deployment/api-{} --all-containers`; `dequeuer jobs logs API "
        "JOB` prints those of a job that runs on this machine"
    ),
    "completion": "there are no completions for shells",
    "cluster": "there is no cluster of Cortex: the Helm chart in deploy/chart installs APIs in any Kubernetes cluster",
}


def advice_for(path: Sequence[str], words: Sequence[str]) -> str | None:
    """Return what is said about a command; None: it is done here. `words`: what stands behind the command."""
    if tuple(path) == ("delete",) and len(words) > 1:
        return None
    text = _ADVICE.get(path[0])
    named = clip(words[0]) if words else "cortex.yaml"
    return None if text is None else text.replace("{}", named)
