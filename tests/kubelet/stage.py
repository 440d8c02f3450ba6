"""Small pods for the tests of the runner: every container is a Python program of some lines."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.integration.waiting import eventually
from tests.kubelet.back_off import BackOff
from tests.kubelet.images import Image
from tests.kubelet.manifest import Workload
from tests.kubelet.network import why_no_pods
from tests.kubelet.node import Node
from tests.kubelet.pod import Pod

WHY_NOT = why_no_pods()
IMAGES = {"registry.example.com/python": Image(entrypoint=[sys.executable, "-I", "-S", "-u"])}
SOON = BackOff(first_s=0.05, longest_s=0.2)

ENDS_AT_ONCE = "import signal; print('up'); signal.pause()"
"""No handler: SIGTERM kills it, exit code 143."""
ENDS_WITH_0 = "import signal, sys; signal.signal(15, lambda *_: sys.exit(0)); print('up'); signal.pause()"
DOES_NOT_END = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up'); time.sleep(3600)"
WEB_SERVER = """
import http.server, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print(self.path)
        if self.path == '/wait':
            threading.Event().wait(1)
        self.send_response(500 if self.path == '/broken' else 200)
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(('0.0.0.0', 8080), Handler)
print('up')
server.serve_forever()
"""


SHARED: Mapping[str, Any] = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
"""Fields of each container that sees the folder of `VOLUMES`."""
VOLUMES = [{"name": "shared", "emptyDir": {}}]


def container(name: str, program: str, **fields: Any) -> dict[str, Any]:
    """Return a container that runs a program."""
    return {"name": name, "image": "registry.example.com/python:1", "args": ["-c", program], **fields}


def sidecar(name: str, program: str, **fields: Any) -> dict[str, Any]:
    """Return an init container that keeps running."""
    return container(name, program, restartPolicy="Always", **fields)


def start(node: Node, *containers: dict[str, Any], **fields: Any) -> Pod:
    """Start a pod with these main containers. `fields`: further fields of the pod; `config_maps` is beside it."""
    config_maps: Mapping[str, Mapping[str, str]] = fields.pop("config_maps", {})
    metadata = {"labels": {"app": "small"}}
    spec = {"containers": list(containers), **fields}
    template = {"metadata": metadata, "spec": spec}
    return node.start(Workload(name="small", namespace="tests", template=template, pods=1), config_maps)


def small_node(folder: Path) -> Node:
    """Return a node whose pods restart their containers soon."""
    return Node(IMAGES, folder, back_off=SOON)


def wait_up(pod: Pod, *names: str) -> None:
    """Wait until each container has printed `up`: it handles signals as it is meant to."""
    for name in names:
        eventually(lambda name=name: "up" in pod.lines[name], f"{name} to be up")  # type: ignore[misc]  # a closure
