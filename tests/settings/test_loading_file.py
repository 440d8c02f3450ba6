from __future__ import annotations

from pathlib import Path

import pytest

from tests.settings.environments import ASYNC, faults, load, without


def test_the_file_that_is_just_there_is_read(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text("region: eu-central-1\nbucket: from-file\n")
    settings = load([], without(ASYNC, "DEQUEUER_BUCKET"), str(path))
    assert (settings.bucket, settings.aws.region) == ("from-file", "eu-central-1")


def test_environment_wins_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text("region: eu-central-1\nbucket: from-file\n")
    settings = load([], ASYNC | {"DEQUEUER_CLUSTER_CONFIG": str(path), "AWS_DEFAULT_REGION": "eu-west-1"})
    assert (settings.bucket, settings.aws.region) == ("my-bucket", "eu-west-1")


def test_the_file_that_is_named_is_the_one_that_is_read(tmp_path: Path) -> None:
    default, named = tmp_path / "default.yaml", tmp_path / "named.yaml"
    default.write_text("bucket: [")
    named.write_text("bucket: named")
    environ = without(ASYNC, "DEQUEUER_BUCKET")
    assert load(["--cluster-config", str(named)], environ, str(default)).bucket == "named"


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    path = str(tmp_path / "none.yaml")
    (fault,) = faults([], ASYNC | {"DEQUEUER_CLUSTER_CONFIG": path})
    assert fault.startswith("DEQUEUER_CLUSTER_CONFIG")
    assert path in fault


def test_a_bad_file_is_a_fault_also_when_it_is_just_there(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text("- a")
    (fault,) = faults([], ASYNC, str(path))
    assert str(path) in fault
    assert "DEQUEUER_CLUSTER_CONFIG" in fault


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("region: 12", ["region in {}: is of type int"]),
        ("region: [a]\nbucket: {}", ["bucket in {}: is of type dict", "region in {}: is of type list"]),
        ("bucket: yes", ["bucket in {}: is of type bool"]),
        ("region: US West", ['region in {}: "US West" is not allowed']),
    ],
)
def test_bad_values_of_the_file_are_faults(tmp_path: Path, content: str, told: list[str]) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text(content)
    found = faults([], ASYNC, str(path))
    assert len(found) == len(told)
    assert all(one.startswith(start.replace("{}", str(path))) for one, start in zip(found, told, strict=True))


def test_an_empty_key_of_the_file_is_not_set(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text("region: ''\nbucket: ''\n")
    assert load([], ASYNC, str(path)).aws.region == "us-west-2"
    (fault,) = faults([], without(ASYNC, "DEQUEUER_BUCKET"), str(path))
    assert fault.startswith("DEQUEUER_BUCKET: is missing")
