from typing import Any

from dequeuer.manifests.cluster import ClusterFacts, NodeGroup
from tests.manifests.converting import Converted, api_text

LABEL = "alpha.eksctl.io/nodegroup-name"


def required(affinity: dict[str, Any]) -> list[str]:
    """Return the values of the label that a node must have."""
    (term,) = affinity["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    (expression,) = term["matchExpressions"]
    assert (expression["key"], expression["operator"]) == (LABEL, "In")
    found: list[str] = expression["values"]
    return found


def test_the_label_of_a_known_group_depends_on_its_instances() -> None:
    groups = {"gpu": NodeGroup(is_spot=True, priority=10), "cpu": NodeGroup(is_spot=False)}
    converted = Converted(api_text("AsyncAPI", more=", node_groups: [gpu, cpu]"), ClusterFacts(node_groups=groups))
    affinity = converted.api()["affinity"]
    assert required(affinity) == ["cx-ws-gpu", "cx-wd-cpu"]
    preferred = affinity["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert [one["weight"] for one in preferred] == [10, 1]


def test_without_the_configuration_of_the_cluster_both_labels_are_allowed() -> None:
    converted = Converted(api_text("AsyncAPI", more=", node_groups: [gpu]"))
    assert required(converted.api()["affinity"]) == ["cx-wd-gpu", "cx-ws-gpu"]
    assert ["node_groups" in note and LABEL in note for note in converted.notes] == [True]


def test_a_group_that_the_cluster_does_not_have_is_named() -> None:
    cluster = ClusterFacts(cluster_uid="u", bucket="b", region="r", node_groups={"cpu": NodeGroup(is_spot=False)})
    converted = Converted(api_text("AsyncAPI", more=", node_groups: [gpuu]"), cluster)
    assert any("node_groups[0] (API sum): gpuu is no node group" in note for note in converted.notes)


def test_without_node_groups_there_is_no_affinity_and_cortex_s_taints_are_tolerated() -> None:
    converted = Converted(api_text("AsyncAPI"))
    assert "affinity" not in converted.api()
    assert [one["key"] for one in converted.values["defaults"]["tolerations"]] == [
        "workload",
        "nvidia.com/gpu",
        "aws.amazon.com/neuron",
    ]
