from __future__ import annotations

import json
from pathlib import Path

import yaml

from dequeuer.apis import BatchApi, parse_apis
from dequeuer.jobs.spec import dump_spec
from dequeuer.pods.files import PodFolder, probes_of
from dequeuer.probes.spec import load_probes
from tests.controller.stage import make_spec

APIS = b"""
- name: sum
  kind: BatchAPI
  pod:
    port: 9000
    containers:
      - {name: a, image: a, command: [a], readiness_probe: {http_get: {port: 9000, path: /ready}, period_seconds: 2}}
      - {name: b, image: b, command: [b], readiness_probe: {tcp_socket: {port: 7000}, failure_threshold: 0}}
      - {name: c, image: c, command: [c]}
"""


def api() -> BatchApi:
    found = parse_apis(APIS, "cortex.yaml").get("sum")
    assert isinstance(found, BatchApi)
    return found


def test_probes_of_the_port_of_the_pod_follow_the_one_that_was_chosen(tmp_path: Path) -> None:
    folder = PodFolder(tmp_path / "pod")
    folder.write(None, probes_of(api().pod, 1234), "http://gateway")
    times = {"initialDelaySeconds": 0, "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3}
    assert json.loads(folder.probes.read_text()) == {
        "a": {**times, "periodSeconds": 2, "httpGet": {"path": "/ready", "port": 1234}},
        "b": {**times, "periodSeconds": 10, "tcpSocket": {"port": 7000}},
    }
    assert len(load_probes(str(folder.probes), 1234, None)) >= 2


def test_the_files_are_those_of_cortex(tmp_path: Path) -> None:
    folder = PodFolder(tmp_path / "pod")
    spec = make_spec(config={"a": [1]}, sqs_url="https://sqs/queue", total_batch_count=3)
    folder.write(dump_spec(spec, indent=2), None, "http://gateway")
    text = (tmp_path / "pod/cortex/spec/job.json").read_text()
    assert text.startswith('{\n  "job_id": "67a0000000000001",\n  "api_name": "sum",\n  "kind": "BatchAPI",\n')
    assert not folder.probes.exists()
    assert (tmp_path / "pod/mnt").is_dir()
    assert yaml.safe_load((tmp_path / "pod/cortex/client/cli.yaml").read_text()) == {
        "default_environment": "default",
        "environments": [{"name": "default", "operator_endpoint": "http://gateway"}],
    }


def test_containers_see_the_hosts_of_their_pod_or_those_of_the_machine(tmp_path: Path) -> None:
    folder = PodFolder(tmp_path, "127.20.0.1 api-text\n")
    folder.write(None, None, "http://gateway")
    assert folder.shared["etc/hosts"].read_text() == "127.20.0.1 api-text\n"
    assert set(PodFolder(tmp_path).shared) == {"cortex", "mnt"}
