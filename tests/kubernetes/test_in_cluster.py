from __future__ import annotations

from pathlib import Path

import pytest

from dequeuer.core.errors import ConfigurationError
from dequeuer.kubernetes.in_cluster import MAX_FILE_BYTES, InCluster, find_in_cluster

ENVIRON = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443", "HOSTNAME": "api-x2x4z"}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, content in {"token": "secret", "ca.crt": "-", "namespace": "models\n"}.items():
        (tmp_path / name).write_text(content, encoding="ascii")
    return tmp_path


def test_all_of_it_is_there(files: Path) -> None:
    assert find_in_cluster(ENVIRON, files=files) == InCluster(
        host="10.0.0.1", port=443, files=files, namespace="models", pod="api-x2x4z"
    )


def test_a_name_that_was_given_wins_over_the_host_name(files: Path) -> None:
    assert find_in_cluster(ENVIRON, "a-long-name", files).pod == "a-long-name"


def test_outside_of_a_pod_everything_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        find_in_cluster({}, files=tmp_path / "none")
    text = str(refused.value)
    for name in ("KUBERNETES_SERVICE_HOST", "DEQUEUER_POD_NAME", "none/namespace", "none/token", "none/ca.crt"):
        assert name in text
    assert "automountServiceAccountToken" in text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"KUBERNETES_SERVICE_PORT": "https"}, '"https"'),
        ({"HOSTNAME": "../other"}, "is not the name of a pod"),
        ({"HOSTNAME": ""}, "is not the name of a pod"),
    ],
)
def test_what_would_make_another_path_is_refused(files: Path, changes: dict[str, str], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        find_in_cluster({**ENVIRON, **changes}, files=files)


@pytest.mark.parametrize("content", ["../kube-system", "", "a" * (MAX_FILE_BYTES + 1)])
def test_a_namespace_that_is_none_is_refused(files: Path, content: str) -> None:
    (files / "namespace").write_text(content, encoding="ascii")
    with pytest.raises(ConfigurationError, match="namespace"):
        find_in_cluster(ENVIRON, files=files)
