"""Renders the chart with Helm's own library, and finds what is in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from helm_python import Chart

ROOT: Final = Path(__file__).resolve().parents[3]
CHART: Final = ROOT / "deploy" / "chart"
VALUES_FILES: Final = ("minimal.yaml", "full.yaml")
RELEASE: Final = "demo"
NAMESPACE: Final = "apis"
CUSTOM_GROUPS: Final = ("gateway.networking.k8s.io", "keda.sh", "monitoring.coreos.com")

JOB: Final[Mapping[str, Any]] = {
    "__JOB_ID__": "69b183ed6bdf3e9b",
    "__QUEUE_URL__": "https://sqs.eu-west-1.amazonaws.com/111122223333/job.fifo",
    "__WORKERS__": 3,
    "__TIMEOUT__": None,
    "__OUTPUT__": None,
    "__JOB_JSON__": '{"job_id": "69b183ed6bdf3e9b"}',
}
"""Values of the placeholders in the manifests of jobs."""


class Rendered:
    """The objects of a release."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.notes = next(text for name, text in files.items() if name.endswith("NOTES.txt"))
        self.objects: list[dict[str, Any]] = [
            document
            for name, text in files.items()
            if not name.endswith(".txt")
            for document in yaml.safe_load_all(text)
            if document
        ]

    def of_kind(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the objects of a kind, by name."""
        return {found["metadata"]["name"]: found for found in self.objects if found["kind"] == kind}

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Return one object."""
        return self.of_kind(kind)[name]

    def pod(self, name: str) -> dict[str, Any]:
        """Return the pod of a Deployment."""
        pod: dict[str, Any] = self.get("Deployment", name)["spec"]["template"]["spec"]
        return pod

    def job(self, api_name: str, file: str) -> dict[str, Any]:
        """Return one of the manifests of a BatchAPI, with its placeholders."""
        manifest: dict[str, Any] = yaml.safe_load(self.get("ConfigMap", f"api-{api_name}")["data"][file])
        return manifest


@cache
def chart() -> Chart:
    """Return the chart. Helm keeps it, so that it is read once."""
    return Chart.load(CHART)


def values_of(file: str) -> dict[str, Any]:
    """Return the values of one of the files beside the chart."""
    values: dict[str, Any] = yaml.safe_load((CHART / "ci" / file).read_text(encoding="utf-8"))
    return values


def render(values: Mapping[str, Any]) -> Rendered:
    """Return what `helm template` makes of the values."""
    return Rendered(chart().render(dict(values), name=RELEASE, namespace=NAMESPACE))


@cache
def rendered(file: str) -> Rendered:
    """Return what the chart makes of one of the files beside it."""
    return render(values_of(file))


def async_api(**fields: Any) -> dict[str, Any]:
    """Return the values of a small async API."""
    return {
        "kind": "AsyncAPI",
        "queueUrl": "https://sqs.eu-west-1.amazonaws.com/111122223333/sum.fifo",
        "containers": [{"name": "api", "image": "registry.example.com/sum:1"}],
        **fields,
    }


def realtime_api(**fields: Any) -> dict[str, Any]:
    """Return the values of a small realtime API."""
    return {"kind": "RealtimeAPI", "containers": [{"name": "api", "image": "registry.example.com/sum:1"}], **fields}


def batch_api(**fields: Any) -> dict[str, Any]:
    """Return the values of a small batch API."""
    container = {"name": "api", "image": "registry.example.com/sum:1", "command": ["python", "main.py"]}
    return {"kind": "BatchAPI", "containers": [container], **fields}


def values_with(apis: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """Return values with these APIs."""
    return {"clusterUid": "my-cluster", "bucket": "my-bucket", "region": "eu-west-1", "apis": dict(apis), **fields}


def containers(pod: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return all containers of a pod, by name."""
    return {found["name"]: found for found in [*pod.get("initContainers", []), *pod["containers"]]}


def sidecar(pod: Mapping[str, Any]) -> dict[str, Any]:
    """Return the dequeuer or proxy of a pod."""
    found = containers(pod)
    return found.get("dequeuer") or found["proxy"]


def environment(container: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables of a container; those that Kubernetes fills in have a sample value."""
    return {variable["name"]: variable.get("value", "sample-1") for variable in container["env"]}


def filled(manifest: Any, values: Mapping[str, Any]) -> Any:
    """Return a manifest of a job with its placeholders replaced, as docs/kubernetes.md says it."""
    if isinstance(manifest, dict):
        pairs = {key: filled(value, values) for key, value in manifest.items()}
        return {key: value for key, value in pairs.items() if value is not None}
    if isinstance(manifest, list):
        kept = [value for value in manifest if not (isinstance(value, dict) and _is_without_value(value, values))]
        return [filled(value, values) for value in kept]
    if isinstance(manifest, str):
        if manifest in values:
            return values[manifest]
        for placeholder, value in values.items():
            manifest = manifest.replace(placeholder, str(value))
    return manifest


def _is_without_value(variable: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    return "value" in variable and filled(variable["value"], values) is None


def api_pods() -> Iterator[tuple[str, dict[str, Any], dict[str, str]]]:
    """Return the pods of all APIs of the full values: name, pod, and the files of the folder `/cortex/spec`."""
    release = rendered("full.yaml")
    for name in release.of_kind("Deployment"):
        if name.startswith("api-"):
            yield name, release.pod(name), release.get("ConfigMap", name)["data"]
    for name, found in release.of_kind("ScaledJob").items():
        pod = found["spec"]["jobTargetRef"]["template"]["spec"]
        yield name, pod, release.get("ConfigMap", name)["data"]
    worker = filled(release.job("image-classifier", "worker.yaml"), JOB)
    files = filled(release.job("image-classifier", "config.yaml"), JOB)["data"]
    yield "image-classifier", worker["spec"]["template"]["spec"], files
