import json

import pytest

from dequeuer.apis import BatchApi, TaskApi, parse_apis
from dequeuer.formats.go_json import encode
from dequeuer.jobs.api_config import deployed_api
from dequeuer.jobs.deployed_api import DeployedApi, api_spec_fields

BATCH = """
- name: sum
  kind: BatchAPI
  networking: {endpoint: /v1/sum}
  pod:
    port: 9000
    containers:
      - name: a
        image: i
        command: [python, main.py]
        env: {Z: "1", B: "<2>"}
        readiness_probe: {http_get: {port: 9000}, timeout_seconds: 2}
        liveness_probe: {exec: {command: [ls]}}
        compute: {cpu: 1500m, mem: 2Gi, gpu: 1, shm: 100}
"""
TASK = """
- name: train
  kind: TaskAPI
  node_groups: [big]
  pod: {containers: [{name: a, image: i, command: [c], compute: {cpu: 2}}]}
"""


def deployed(text: str) -> DeployedApi:
    [api] = parse_apis(text.encode(), "cortex.yaml")
    assert isinstance(api, BatchApi | TaskApi)
    return deployed_api(api, file_name="cortex.yaml")


def test_the_configuration_has_the_form_of_cortex() -> None:
    api = deployed(BATCH)
    assert encode(api.config) == (
        '{"name":"sum","kind":"BatchAPI","pod":{"port":9000,"max_queue_length":0,"max_concurrency":0,"containers":['
        '{"name":"a","image":"i","env":{"B":"\\u003c2\\u003e","Z":"1"},"command":["python","main.py"],"args":null,'
        '"readiness_probe":{"http_get":{"path":"/","port":9000},"tcp_socket":null,"exec":null,"initial_delay_seconds":0,'
        '"timeout_seconds":2,"period_seconds":10,"success_threshold":1,"failure_threshold":3},'
        '"liveness_probe":{"http_get":null,"tcp_socket":null,"exec":{"command":["ls"]},"initial_delay_seconds":0,'
        '"timeout_seconds":1,"period_seconds":10,"success_threshold":1,"failure_threshold":3},"pre_stop":null,'
        '"compute":{"cpu":"1500m","mem":"2Gi","gpu":1,"inf":0,"shm":"100"}}]},"node_groups":null,"apis":null,'
        '"networking":{"endpoint":"/v1/sum"},"autoscaling":null,"update_strategy":null,"index":0,'
        '"file_name":"cortex.yaml","submitted_api_spec":null}'
    )
    assert (api.name, api.kind, api.endpoint) == ("sum", "BatchAPI", "/v1/sum")


def test_a_task_has_no_port() -> None:
    api = deployed(TASK)
    config = json.loads(encode(api.config))
    assert config["pod"]["port"] is None
    assert config["pod"]["containers"][0]["compute"]["cpu"] == "2"
    assert config["node_groups"] == ["big"]
    assert api.endpoint == "/train"


def test_the_specification_ends_with_its_ids() -> None:
    api = deployed(TASK)
    fields = api_spec_fields(api, "uid", "0.42.1")
    assert list(fields)[-8:] == [
        "id", "spec_id", "pod_id", "deployment_id", "key", "initial_deployment_time", "last_updated", "metadata_root",
    ]  # fmt: skip
    assert fields["key"] == f"uid/apis/train/api/{api.api_id}/0.42.1-spec.json"
    assert fields["metadata_root"] == "uid/apis/train/metadata"


@pytest.mark.parametrize(
    ("old", "new", "changes_pod"),
    [("image: i", "image: j", True), ("/v1/sum", "/v2/sum", False), ("cpu: 1500m", "cpu: 1600m", True)],
)
def test_the_ids_change_with_the_configuration_alone(old: str, new: str, changes_pod: bool) -> None:
    one, two = deployed(BATCH), deployed(BATCH.replace(old, new))
    assert deployed(BATCH) == one
    assert one.api_id != two.api_id
    assert one.spec_id != two.spec_id
    assert (one.pod_id != two.pod_id) == changes_pod
    assert (len(one.spec_id), len(one.pod_id)) == (32, 63)
