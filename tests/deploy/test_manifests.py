import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from dequeuer.probes.spec import load_probes
from dequeuer.settings import ProxySettings, SidecarSettings, load_proxy, load_sidecar

EXAMPLES = Path(__file__).parents[2] / "deploy" / "examples"
ADMIN_PORT = 15000
NONROOT = 65532
SPARE_S = 5
"""Between the grace of a program and that of its pod, for what is stored and released at the end."""


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
        self.is_realtime = "proxy" in self.containers
        self.dequeuer = self.containers["proxy" if self.is_realtime else "dequeuer"]
        self.api = self.containers["api"]

    def settings(self) -> SidecarSettings:
        return load_sidecar([], self._environ(), cluster_config="/nonexistent/cluster.yaml")

    def proxy_settings(self) -> ProxySettings:
        return load_proxy(self.dequeuer["args"][1:], self._environ())

    def ports(self) -> tuple[int, int]:
        settings = self.proxy_settings() if self.is_realtime else self.settings()
        return settings.user_port, settings.admin_port

    def _environ(self) -> dict[str, str]:
        return {variable["name"]: variable["value"] for variable in self.dequeuer["env"]}


NAMES = sorted(path.name for path in EXAMPLES.glob("*.yaml"))


@pytest.fixture(params=NAMES)
def example(request: pytest.FixtureRequest) -> Example:
    return Example(request.param)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("realtime")])
def test_the_variables_are_settings(name: str) -> None:
    example = Example(name)
    settings = example.settings()
    assert settings.queue_url.startswith("https://sqs.")
    assert settings.shutdown_grace_s + SPARE_S <= example.pod["terminationGracePeriodSeconds"]
    assert settings.request_timeout_s < settings.shutdown_grace_s


def test_the_variables_of_the_proxy_are_settings() -> None:
    example = Example("realtime-api.yaml")
    settings = example.proxy_settings()
    drain_s = settings.shutdown_delay_s + settings.shutdown_grace_s
    assert drain_s + SPARE_S <= example.pod["terminationGracePeriodSeconds"]
    assert example.dequeuer["args"] == ["proxy"]
    service = example.by_kind["Service"]
    assert service["metadata"]["name"].startswith("api-")
    assert service["spec"]["ports"] == [{"name": "http", "port": 8888, "targetPort": "proxy"}]
    assert service["spec"]["selector"] == example.workload["spec"]["selector"]["matchLabels"]
    assert {"name": "proxy", "containerPort": settings.port} in example.dequeuer["ports"]


def test_ports_agree(example: Example) -> None:
    user_port, admin_port = example.ports()
    assert admin_port == ADMIN_PORT
    assert {"name": "CORTEX_PORT", "value": str(user_port)} in example.api["env"]
    assert example.api["ports"] == [{"name": "http", "containerPort": user_port}]
    assert {"name": "metrics", "containerPort": ADMIN_PORT} in example.dequeuer["ports"]
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
    assert len(load_probes(str(path), example.ports()[0])) == 2
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
    # It would restart the dequeuer while the container loads its model.
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


def test_the_dequeuer_is_the_main_container_and_the_user_s_is_its_native_sidecar(example: Example) -> None:
    assert example.pod["containers"] == [example.dequeuer]
    assert [(container["name"], container["restartPolicy"]) for container in example.pod["initContainers"]] == [
        ("api", "Always")
    ]
    assert "restartPolicy" not in example.dequeuer


def test_an_async_api_is_one() -> None:
    assert Example("async-api.yaml").settings().api_kind == "async"


def test_any_queue_is_read_without_a_bucket() -> None:
    settings = Example("any-queue.yaml").settings()
    assert (settings.api_kind, settings.queue.body_format, settings.queue.path) == ("queue", "s3-events", "/uploads")
    assert settings.store_bucket == ""


def test_the_pods_of_a_batch_job_end_when_the_queue_is_used_up_and_are_not_replaced() -> None:
    example = Example("batch-job.yaml")
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
