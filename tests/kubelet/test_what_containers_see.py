"""The environment, files and network of containers."""

from __future__ import annotations

import json
import socket
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.kubelet.environment import PodIdentity, environment_of
from tests.kubelet.errors import UnsupportedError
from tests.kubelet.images import Image, command_of, image_of
from tests.kubelet.manifest import read_manifest
from tests.kubelet.node import Node
from tests.kubelet.spec import ContainerSpec, read_pod
from tests.kubelet.stage import ENDS_AT_ONCE, IMAGES, WEB_SERVER, WHY_NOT, container, start, wait_up

needs_pods = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "-")

POD = PodIdentity(
    name="small-1",
    namespace="tests",
    uid="1-2-3",
    ip="10.244.0.2",
    service_account="default",
    labels={"app": "small"},
    annotations={},
)


def parsed(**fields: Any) -> ContainerSpec:
    return read_pod({"containers": [container("main", "", **fields)]}).containers[0]


def test_variables_have_values_of_the_pod_of_config_maps_and_of_those_before_them() -> None:
    env = [
        {"name": "PORT", "value": "8080"},
        {"name": "URL", "value": "http://$(POD):$(PORT)/$(LATER)$$(PORT)"},
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "WHERE", "value": "$(POD).$(SPACE)"},
        {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "KEY", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "a"}}},
        {"name": "NONE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "z", "optional": True}}},
        {"name": "LATER", "value": ""},
    ]
    spec = parsed(env=env, envFrom=[{"configMapRef": {"name": "settings"}, "prefix": "X_"}])
    found = environment_of(spec, {"PATH": "/bin", "PORT": "1"}, POD, {"settings": {"a": "1", "b": "2"}})
    assert found == {
        "PATH": "/bin",
        "HOSTNAME": "small-1",
        "X_a": "1",
        "X_b": "2",
        "PORT": "8080",
        "URL": "http://$(POD):8080/$(LATER)$(PORT)",
        "POD": "small-1",
        "WHERE": "small-1.$(SPACE)",
        "APP": "small",
        "KEY": "1",
        "LATER": "",
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
        {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "s", "key": "k"}}}]},
        {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}]},
        {"envFrom": [{"secretRef": {"name": "s"}}]},
    ],
)
def test_variables_that_are_not_known_are_errors(fields: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError):
        environment_of(parsed(**fields), {}, POD, {})


@pytest.mark.parametrize(
    "pod",
    [
        {"containers": [], "hostNetwork": True},
        {"containers": [container("main", "", stdin=True)]},
        {"containers": [container("main", "", lifecycle={"postStart": {"exec": {"command": ["true"]}}})]},
        {"containers": [container("main", "", livenessProbe={"grpc": {"port": 1}})]},
        {"containers": [container("main", "", livenessProbe={"httpGet": {"port": "http"}})]},
        {"containers": [container("main", "", readinessProbe={"sleep": {"seconds": 1}})]},
        {"containers": [container("main", "", restartPolicy="Always")]},
        {"containers": [container("main", "")] * 2},
    ],
)
def test_fields_that_are_not_known_are_errors(pod: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError):
        read_pod(pod)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ["server", "--x", "a"]),
        ({"args": ["b"]}, ["server", "--x", "b"]),
        ({"command": ["other"]}, ["other"]),
        ({"command": ["other"], "args": ["b"]}, ["other", "b"]),
    ],
)
def test_command_and_arguments_replace_those_of_the_image_as_in_kubernetes(
    given: dict[str, Any], expected: list[str]
) -> None:
    image = Image(entrypoint=["server", "--x"], cmd=["a"])
    spec = read_pod({"containers": [{"name": "main", "image": "i", **given}]}).containers[0]
    assert command_of(spec, image) == expected


@pytest.mark.parametrize(
    "reference", ["r.io:5000/a/b", "r.io:5000/a/b:1.0", "r.io:5000/a/b@sha256:12", "r.io:5000/a/b:1@sha256:12"]
)
def test_images_are_found_without_tag_and_digest(reference: str) -> None:
    image = Image(entrypoint=["x"])
    spec = read_pod({"containers": [{"name": "main", "image": reference}]}).containers[0]
    assert image_of(spec, {"r.io:5000/a/b": image}) is image
    with pytest.raises(UnsupportedError, match=r"known are \['other'\]"):
        image_of(spec, {"other": image})


@pytest.mark.parametrize(
    ("spec", "pods"),
    [
        ("kind: Deployment\nspec: {replicas: 2, template: {spec: {containers: []}}}", 2),
        ("kind: Job\nspec: {parallelism: 3, template: {spec: {containers: []}}}", 3),
        ("kind: ScaledJob\nspec: {jobTargetRef: {parallelism: 9, template: {spec: {containers: []}}}}", 1),
    ],
)
def test_a_manifest_has_its_workload_and_its_config_maps(spec: str, pods: int) -> None:
    settings = 'kind: ConfigMap\nmetadata: {name: settings}\ndata: {a: "1"}'
    manifest = read_manifest(f"{settings}\n---\nmetadata: {{name: work}}\n{spec}\n---\n")
    assert manifest.config_maps == {"settings": {"a": "1"}}
    assert (manifest.workload.name, manifest.workload.pods) == ("work", pods)
    assert manifest.workload.spec == {"containers": []}


@needs_pods
def test_files_are_at_their_paths_and_an_empty_folder_is_shared(node: Node) -> None:
    mounts = [
        {"name": "spec", "mountPath": "/cortex/spec"},
        {"name": "spec", "mountPath": "/cortex/client/cli.yaml", "subPath": "cli"},
        {"name": "mnt", "mountPath": "/mnt"},
        {"name": "mnt", "mountPath": "/mnt/deep/own", "subPath": "own"},
        {"name": "spec", "mountPath": "/etc/dequeuer/apis"},
        {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 - the path is under test
    ]
    writes = "import pathlib; pathlib.Path('/mnt/deep/own/x').write_text('shared'); pathlib.Path('/dev/shm/y').touch()"
    reads = """
import json, os, pathlib
read = lambda path: pathlib.Path(path).read_text()
print(json.dumps([read('/cortex/spec/probes.json'), read('/cortex/client/cli.yaml'), read('/mnt/deep/own/x'),
                  read('/etc/dequeuer/apis/cli'), os.path.exists('/etc/passwd'), os.listdir('/cortex/spec'), os.listdir('/cortex/client'), os.listdir('/dev/shm')]))
"""
    pod = start(
        node,
        container("main", reads, volumeMounts=mounts),
        initContainers=[container("init", writes, volumeMounts=mounts)],
        restartPolicy="Never",
        config_maps={"files": {"probes.json": "{}", "cli": "operator"}},
        volumes=[
            {"name": "spec", "configMap": {"name": "files"}},
            {"name": "mnt", "emptyDir": {}},
            {"name": "shm", "emptyDir": {"medium": "Memory"}},
        ],
    )
    assert pod.wait_ended() == "Succeeded"
    *contents, spec, client, shm = json.loads(pod.lines["main"][0])
    assert contents == ["{}", "operator", "shared", "operator", True]
    assert (sorted(spec), client, shm) == (["cli", "probes.json"], ["cli.yaml"], ["y"])
    assert not Path("/cortex/spec/probes.json").exists()


@needs_pods
def test_two_pods_have_the_same_ports_and_each_has_its_own_address(node: Node) -> None:
    probe = {"httpGet": {"port": 8080}, "periodSeconds": 0.1}
    pods = [start(node, container("main", WEB_SERVER, readinessProbe=probe)) for _ in range(2)]
    for pod in pods:
        pod.wait_ready()


@needs_pods
def test_a_server_that_listens_on_loopback_alone_is_not_ready_for_the_kubelet(node: Node) -> None:
    probe = {"httpGet": {"port": 8080}, "periodSeconds": 0.1, "failureThreshold": 1}
    fields = {"startupProbe": probe | {"failureThreshold": 3}}
    pod = start(node, container("main", WEB_SERVER.replace("0.0.0.0", "127.0.0.1"), **fields), restartPolicy="Never")
    assert pod.wait_ended() == "Failed"
    assert ("main", "startup probe failed") in pod.events


@needs_pods
def test_ports_that_are_forwarded_are_reached_from_inside_and_no_others(tmp_path: Path) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"from outside" * 10_000)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    asks = """
import os, urllib.request, urllib.error
for port in (os.environ["OPEN"], os.environ["SHUT"]):
    try:
        print(len(urllib.request.urlopen(f"http://127.0.0.1:{port}/").read()))
    except OSError as error:
        print(error)
"""
    with HTTPServer(("127.0.0.1", 0), Handler) as server, socket.create_server(("127.0.0.1", 0)) as other:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        ports = [str(server.server_address[1]), str(other.getsockname()[1])]
        env = [{"name": name, "value": port} for name, port in zip(["OPEN", "SHUT"], ports, strict=True)]
        try:
            with Node(IMAGES, tmp_path, forwards=[server.server_address[1]]) as node:
                pod = start(node, container("main", asks, env=env), restartPolicy="Never")
                pod.wait_ended()
                answers = pod.lines["main"]
        finally:
            server.shutdown()
            thread.join()
    assert answers == ["120000", "<urlopen error [Errno 111] Connection refused>"]


@needs_pods
async def test_a_test_reaches_a_port_of_a_pod(node: Node) -> None:
    pod = start(node, container("main", WEB_SERVER))
    wait_up(pod, "main")
    with await pod.dial(8080) as connection:
        assert connection.getpeername() == ("10.244.0.2", 8080)
    with pytest.raises(ConnectionRefusedError):
        await pod.dial(8081)


@needs_pods
def test_a_node_that_ends_leaves_no_process(tmp_path: Path) -> None:
    with Node(IMAGES, tmp_path) as node:
        pod = start(node, container("main", ENDS_AT_ONCE))
        wait_up(pod, "main")
    assert pod.has_ended
    assert pod.events[-1] == ("main", "ended 137")
