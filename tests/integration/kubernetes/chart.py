"""The pods of the Helm chart, with queues and buckets that are there. Helm's own library renders them."""

from __future__ import annotations

from typing import Any

from tests.deploy.chart.rendering import (
    JOB,
    async_api,
    batch_api,
    filled,
    realtime_api,
    render,
    values_with,
)
from tests.integration.cloud import CLUSTER, REGION, Bucket, Queue
from tests.integration.kubernetes.examples import REGISTRY, SERVER_COMMAND
from tests.kubelet.manifest import Manifest, manifest_of

PROBE = {"httpGet": {"path": "/healthz", "port": 8080}, "timeoutSeconds": 2, "periodSeconds": 5}


def chart_async(form: str, queue: Queue, bucket: Bucket) -> Manifest:
    """Return what the chart makes of an async API. `form`: native or prestop."""
    api = async_api(queueUrl=queue.url, form=form, concurrency=4, containers=[_container("text-generator")])
    return _rendered(api, bucket.name)


def chart_gateway(queue: Queue, bucket: Bucket) -> Manifest:
    """Return what the chart makes of an async API with the gateway in front of it."""
    api = async_api(queueUrl=queue.url, containers=[_container("text-generator")])
    return manifest_of(render({**_values(api, bucket.name), "gateway": {"enabled": True}}).objects)


def chart_scaled_job(queue: Queue, bucket: Bucket) -> Manifest:
    """Return what the chart makes of an async API with long work: KEDA starts a Job for each message."""
    scaling = {"type": "keda"}
    containers = [_container("text-generator")]
    api = async_api(queueUrl=queue.url, workload="ScaledJob", autoscaling=scaling, containers=containers)
    return _rendered(api, bucket.name)


def chart_realtime(form: str) -> Manifest:
    """Return what the chart makes of a realtime API."""
    return _rendered(
        realtime_api(
            form=form, concurrency=8, autoscaling={"minReplicas": 2}, containers=[_container("iris-classifier")]
        )
    )


def chart_job(queue: Queue, bucket: Bucket) -> Manifest:
    """Return what a program that starts jobs makes of the manifests that the chart has for a batch API."""
    # A BatchAPI of Cortex has to name the command of its container.
    container = _container("image-classifier") | {"command": SERVER_COMMAND}
    release = render(_values(batch_api(containers=[container]), bucket.name))
    job = {**JOB, "__QUEUE_URL__": queue.url}
    files = [filled(release.job("api", name), job) for name in ("config.yaml", "worker.yaml")]
    return manifest_of([*files, *release.of_kind("ConfigMap").values()])


def _container(image: str) -> dict[str, Any]:
    return {"name": "api", "image": f"{REGISTRY}/{image}:1.0.0", "readinessProbe": PROBE}


def _rendered(api: dict[str, Any], bucket: str = "not-used") -> Manifest:
    return manifest_of(render(_values(api, bucket)).objects)


def _values(api: dict[str, Any], bucket: str) -> dict[str, Any]:
    return values_with({"api": api}, clusterUid=CLUSTER, bucket=bucket, region=REGION)
