import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from dequeuer.probes.spec import load_probes
from dequeuer.settings import SidecarSettings, load_sidecar

EXAMPLES = Path(__file__).parents[2] / "deploy" / "examples"
ADMIN_PORT = 15000
NONROOT = 65532


class Example:
    """One manifest: its documents, the pod in it and the two containers of that pod."""

    def __init__(self, name: str) -> None:
        documents = list(yaml.safe_load_all((EXAMPLES / name).read_text(encoding="utf-8")))
        self.by_kind: dict[str, dict[str, Any]] = {document["kind"]: document for document in documents}
        self.workload = self.by_kind.get("Deployment") or self.by_kind["Job"]
        self.pod: dict[str, Any] = self.workload["spec"]["template"]["spec"]
        self.containers: dict[str, dict[str, Any]] = {
            container["name"]: container for container in self.pod["initContainers"] + self.pod["containers"]
        }
        self.dequeuer = self.containers["dequeuer"]
        self.api = self.containers["api"]

    def settings(self) -> SidecarSettings:
        environ = {variable["name"]: variable["value"] for variable in self.dequeuer["env"]}
        return load_sidecar([], environ, cluster_config="/nonexistent/cluster.yaml")


@pytest.fixture(params=sorted(path.name for path in EXAMPLES.glob("*.yaml")))
def example(request: pytest.FixtureRequest) -> Example:
    return Example(request.param)


def test_the_variables_are_settings(example: Example) -> None:
    settings = example.settings()
    assert settings.queue_url.startswith("https://sqs.")
    assert settings.shutdown_grace_s < example.pod["terminationGracePeriodSeconds"]
    assert settings.request_timeout_s < settings.shutdown_grace_s
    assert settings.admin_port == ADMIN_PORT


def test_ports_agree(example: Example) -> None:
    settings = example.settings()
    assert {"name": "CORTEX_PORT", "value": str(settings.user_port)} in example.api["env"]
    assert example.api["ports"] == [{"name": "http", "containerPort": settings.user_port}]
    assert example.dequeuer["ports"] == [{"name": "metrics", "containerPort": ADMIN_PORT}]
    assert example.workload["spec"]["template"]["metadata"]["annotations"] == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(ADMIN_PORT),
        "prometheus.io/path": "/metrics",
    }


def test_the_files_of_the_spec_are_read(example: Example, tmp_path: Path) -> None:
    files = example.by_kind["ConfigMap"]["data"]
    path = tmp_path / "probes.json"
    path.write_text(files["probes.json"], encoding="utf-8")
    assert set(json.loads(files["probes.json"])) == {"api"}
    assert len(load_probes(str(path), example.settings().user_port)) == 2
    for container in example.containers.values():
        assert {(mount["name"], mount["mountPath"]) for mount in container["volumeMounts"]} == {
            ("spec", "/cortex/spec"),
            ("mnt", "/mnt"),
        }
    assert {"name": "spec", "configMap": {"name": example.by_kind["ConfigMap"]["metadata"]["name"]}} in example.pod[
        "volumes"
    ]


def test_the_kubelet_asks_what_it_should(example: Example) -> None:
    assert example.dequeuer["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "metrics"}
    assert example.dequeuer["readinessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
    # On a native sidecar it would keep the container from starting, which it waits for.
    assert "startupProbe" not in example.dequeuer


def test_the_sidecar_has_no_privileges(example: Example) -> None:
    assert example.dequeuer["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": NONROOT,
        "runAsGroup": NONROOT,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert example.dequeuer["resources"]["requests"] == {"cpu": "100m", "memory": "100Mi"}


def test_async_runs_the_dequeuer_as_the_native_sidecar() -> None:
    example = Example("async-api.yaml")
    assert [(container["name"], container["restartPolicy"]) for container in example.pod["initContainers"]] == [
        ("dequeuer", "Always")
    ]
    assert example.settings().api_kind == "async"


def test_any_queue_is_read_without_a_bucket() -> None:
    settings = Example("any-queue.yaml").settings()
    assert (settings.api_kind, settings.queue.body_format, settings.queue.path) == ("queue", "s3-events", "/uploads")
    assert settings.store_bucket == ""


def test_batch_runs_the_container_as_the_native_sidecar() -> None:
    example = Example("batch-job.yaml")
    assert [(container["name"], container["restartPolicy"]) for container in example.pod["initContainers"]] == [
        ("api", "Always")
    ]
    settings = example.settings()
    assert settings.api_kind == "batch"
    assert json.loads(example.by_kind["ConfigMap"]["data"]["job.json"])["job_id"] == settings.job_id
    job = example.workload["spec"]
    assert job["parallelism"] == 3
    assert "completions" not in job, "each worker would be replaced until so many had succeeded"


def test_batch_gives_up_at_once_on_a_bad_configuration_only() -> None:
    rules = Example("batch-job.yaml").workload["spec"]["podFailurePolicy"]["rules"]
    assert [(rule["action"], rule.get("onExitCodes", {}).get("values")) for rule in rules] == [
        ("Ignore", None),
        ("FailJob", [2]),
        ("Count", [0, 2]),
    ]
