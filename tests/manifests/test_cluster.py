from pathlib import Path

import pytest

from dequeuer.core.errors import ConfigurationError
from dequeuer.manifests.cluster import ClusterFacts, NodeGroup, load_cluster


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "cluster.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_file_of_a_cluster_s_pods_has_all(tmp_path: Path) -> None:
    found = load_cluster(
        written(
            tmp_path,
            "cluster_name: c\ncluster_uid: u\nbucket: b\nregion: eu-west-1\nnode_groups:\n"
            "  - {name: gpu, spot: true, priority: 300, instance_type: g5.xlarge}\n  - {name: cpu, spot: 'yes'}\n",
        )
    )
    assert (found.cluster_uid, found.bucket, found.region) == ("u", "b", "eu-west-1")
    assert found.node_groups == {
        "gpu": NodeGroup(is_spot=True, priority=100),
        "cpu": NodeGroup(is_spot=False, priority=1),
    }


def test_the_file_that_a_cluster_was_made_with_has_less(tmp_path: Path) -> None:
    assert load_cluster(written(tmp_path, "cluster_name: c\nregion: eu-west-1\n")) == ClusterFacts(region="eu-west-1")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("region: [x]\nbucket: 12\n", "bucket is int; allowed: text"),
        ("node_groups: {a: 1}\n", "node_groups is no list"),
        ("node_groups: [{spot: true}]\n", "node_groups is no list"),
        ("- a\n", "is no YAML mapping"),
        ("a: [\n", "is no YAML"),
    ],
)
def test_a_faulty_file_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load_cluster(written(tmp_path, text))
    assert any(fault in one and "cluster.yaml" in one for one in raised.value.faults)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.yaml: cannot be read"):
        load_cluster(str(tmp_path / "none.yaml"))
