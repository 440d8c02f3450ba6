"""The manifests of `deploy/examples` with queues and buckets that are there, and other orders of their containers."""

from __future__ import annotations

import copy
import json
import os
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dequeuer.pods.programs import own_environment, program
from tests.integration.cloud import CLUSTER, KEYS, REGION, Bucket, Cloud, Queue
from tests.integration.kubernetes import server
from tests.integration.sidecar import AWS_CLIENT, ROOT
from tests.kubelet.images import Image
from tests.kubelet.manifest import Manifest, read_manifest
from tests.kubelet.node import Node
from tests.kubelet.pod import Pod

EXAMPLES = ROOT / "deploy" / "examples"
REGISTRY = "registry.example.com"
USERS_IMAGES = ("text-generator", "image-classifier", "thumbnails", "iris-classifier")
JOB_ID = "69b183ed6bdf3e9b"
"""Of the example of a batch job."""
COMPLETION = '/on-job-complete {"message":"job_complete"}'
"""The record of the last request of a job."""
HOOK = {"preStop": {"httpGet": {"path": "/wait-for-drain", "port": 15000}}}

SERVER_COMMAND = [sys.executable, "-I", str(Path(server.__file__))]

Spec = Mapping[str, Any]


class Records:
    """What the containers of all pods did: the file that they write."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "records"
        self.path.touch()

    def of(self, event: str) -> list[tuple[str, str]]:
        """Return the pod and what it worked on, of all begins or ends."""
        lines = [line.split(" ", 2) for line in self.path.read_text(encoding="utf-8").splitlines()]
        return [(pod, what) for name, pod, what in lines if name == event]

    def runs(self) -> Counter[str]:
        """Return how often each request was begun."""
        return Counter(what for _, what in self.of("begin"))

    def running(self, pod: Pod) -> list[str]:
        """Return the requests that are in the container of a pod, all of one moment."""
        lines = [line.split(" ", 2) for line in self.path.read_text(encoding="utf-8").splitlines()]
        running = Counter(what for event, name, what in lines if (event, name) == ("begin", pod.name))
        running.subtract(what for event, name, what in lines if (event, name) == ("end", pod.name))
        return [*running.elements()]


def node_of(folder: Path, records: Records, cloud: Cloud | None, *, work_s: float) -> Node:
    """Return a node that has the images of the examples. `work_s`: how long each request takes."""
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        # Shorter than on AWS: the counts of this queue are exact.
        "DEQUEUER_COMPLETION_DELAY": "1",
        "DEQUEUER_POLL_WAIT": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        **KEYS,
        **AWS_CLIENT,
        **({"AWS_ENDPOINT_URL": cloud.url} if cloud else {}),
    }
    theirs = Image(
        entrypoint=SERVER_COMMAND,
        environment={"PATH": os.environ["PATH"], "RECORDS": str(records.path), "WORK_S": str(work_s)},
    )
    ours = Image(entrypoint=program(), environment=own_environment({"PATH": os.environ["PATH"]}, variables))
    images = {f"{REGISTRY}/{name}": theirs for name in USERS_IMAGES} | {f"{REGISTRY}/dequeuer": ours}
    port = urlsplit(cloud.url).port if cloud else None
    return Node(images, folder / "pods", forwards=[port] if port else [])


def example(name: str, **variables: str) -> Manifest:
    """Return an example. `variables`: of the dequeuer or proxy; each must be in it, for a person to replace."""
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    manifest = read_manifest(text)
    (main,) = manifest.workload.spec["containers"]
    left = dict(variables)
    for variable in main["env"]:
        variable["value"] = left.pop(variable["name"], variable["value"])
    assert not left, f"{name} has no {sorted(left)}"
    return manifest


def async_example(queue: Queue, bucket: Bucket) -> Manifest:
    """Return the example of an async API."""
    return example(
        "async-api.yaml",
        DEQUEUER_API_NAME="api",
        DEQUEUER_QUEUE_URL=queue.url,
        DEQUEUER_CLUSTER_UID=CLUSTER,
        DEQUEUER_BUCKET=bucket.name,
        AWS_REGION=REGION,
    )


def job_example(queue: Queue, _bucket: Bucket) -> Manifest:
    """Return the example of a batch job."""
    return example("batch-job.yaml", DEQUEUER_QUEUE_URL=queue.url, AWS_REGION=REGION)


def native(spec: Spec) -> Spec:
    """Return the pod as it is: the container of the user is a native sidecar of the dequeuer."""
    return spec


def prestop(spec: Spec) -> Spec:
    """Return the pod with main containers alone; that of the user has the hook."""
    api, dequeuer = _two(spec)
    return _mains(spec, api | {"lifecycle": HOOK}, dequeuer)


def without_hook(spec: Spec) -> Spec:
    """Return the pod with main containers alone, which get SIGTERM at the same time."""
    return _mains(spec, *_two(spec))


def inverted(spec: Spec) -> Spec:
    """Return the pod with the container of the user as the main one: it gets SIGTERM before the dequeuer."""
    api, dequeuer = _two(spec)
    return {**spec, "initContainers": [dequeuer | {"restartPolicy": "Always"}], "containers": [api]}


def _two(spec: Spec) -> tuple[dict[str, Any], dict[str, Any]]:
    (api,) = copy.deepcopy(spec["initContainers"])
    (dequeuer,) = copy.deepcopy(spec["containers"])
    del api["restartPolicy"]
    return api, dequeuer


def _mains(spec: Spec, *containers: dict[str, Any]) -> Spec:
    return {**{name: value for name, value in spec.items() if name != "initContainers"}, "containers": [*containers]}


def settled(pod: Pod) -> list[dict[str, Any]]:
    """Return the lines about settled messages that the dequeuer of a pod has logged."""
    parsed = [json.loads(line) for line in list(pod.lines["dequeuer"]) if line.startswith("{")]
    return [line for line in parsed if line["event"] == "message_settled"]
