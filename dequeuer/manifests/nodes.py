"""On which nodes the pods may run: Cortex's node groups by the labels that eksctl gave them."""

from __future__ import annotations

from typing import Any, Final

from dequeuer.manifests.cluster import ClusterFacts
from dequeuer.manifests.notes import Place

LABEL: Final = "alpha.eksctl.io/nodegroup-name"
ON_DEMAND, SPOT = "cx-wd-", "cx-ws-"
"""What Cortex puts in front of the name of a node group."""

TOLERATIONS: Final = (
    {"key": "workload", "operator": "Equal", "value": "true", "effect": "NoSchedule"},
    {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
    {"key": "aws.amazon.com/neuron", "operator": "Exists", "effect": "NoSchedule"},
)
"""Of the taints on Cortex's nodes. They do no harm in another cluster."""


def chart_affinity(names: tuple[str, ...] | None, cluster: ClusterFacts, place: Place) -> dict[str, Any] | None:
    """Return the affinity of an API; None: it may run everywhere."""
    if names is None:
        return None
    labels: list[str] = []
    preferred = []
    for index, name in enumerate(names):
        group = cluster.node_groups.get(name)
        if group is None:
            if cluster.node_groups:
                place.below(index).note(f"{name} is no node group of the cluster's configuration; correct one of them")
            labels += [ON_DEMAND + name, SPOT + name]
            continue
        label = (SPOT if group.is_spot else ON_DEMAND) + name
        labels.append(label)
        preferred.append({"weight": group.priority, "preference": _term([label])})
    place.note(f"becomes an affinity on the label {LABEL} of Cortex's nodes; other nodes need another one")
    node: dict[str, Any] = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [_term(labels)]}}
    if len(preferred) > 1:
        node["preferredDuringSchedulingIgnoredDuringExecution"] = preferred
    return {"nodeAffinity": node}


def _term(labels: list[str]) -> dict[str, Any]:
    return {"matchExpressions": [{"key": LABEL, "operator": "In", "values": labels}]}
