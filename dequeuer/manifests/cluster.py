"""What the configuration of a Cortex cluster says about the place of its APIs: bucket, region, node groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from dequeuer.core.errors import ConfigurationError, clip
from dequeuer.files.reading import UnreadableError
from dequeuer.settings.cluster_file import read_cluster_file

_TEXTS = ("cluster_uid", "bucket", "region")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    """A node group of the cluster; spot instances have another label."""

    is_spot: bool
    priority: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """What is known of a cluster; "" and nothing where it is not known."""

    cluster_uid: str = ""
    bucket: str = ""
    region: str = ""
    node_groups: Mapping[str, NodeGroup] = field(default_factory=lambda: MappingProxyType({}))


def load_cluster(path: str) -> ClusterFacts:
    """Return what a cluster.yaml says. Blocks while it is read.

    It is the file that the cluster was made with, or that of `/configs/cluster/cluster.yaml` in its pods, which also
    has the bucket and the uid.

    Raises:
        ConfigurationError: the file cannot be read, or a value in it is not what it should be.
    """
    try:
        found = read_cluster_file(path, (*_TEXTS, "node_groups"))
    except UnreadableError as error:
        raise ConfigurationError([f"{clip(path)}: {error}; allowed: the cluster.yaml of a Cortex cluster"]) from None
    faults = [
        f"{clip(path)}: {key} is {type(found[key]).__name__}; allowed: text; put it in quotes"
        for key in _TEXTS
        if not isinstance(found.get(key, ""), str)
    ]
    groups = _node_groups(found.get("node_groups", []))
    if groups is None:
        faults.append(f"{clip(path)}: node_groups is no list of mappings, each with a name; correct it")
    if faults or groups is None:
        raise ConfigurationError(faults)
    return ClusterFacts(**{key: found.get(key, "") for key in _TEXTS}, node_groups=MappingProxyType(groups))


def _node_groups(given: object) -> dict[str, NodeGroup] | None:
    if not isinstance(given, list) or not all(_is_group(one) for one in given):
        return None
    return {one["name"]: NodeGroup(is_spot=one.get("spot") is True, priority=_priority(one)) for one in given}


def _is_group(given: Any) -> bool:
    return isinstance(given, dict) and isinstance(given.get("name"), str)


def _priority(group: Mapping[str, Any]) -> int:
    """Return the weight of a group, 1 to 100 as in Kubernetes; Cortex's default is 1."""
    priority = group.get("priority", 1)
    return min(100, max(1, priority)) if type(priority) is int else 1
