"""`dequeuer manifests`: the chart takes its values as they are, and renders what the cortex.yaml says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dequeuer import cli
from dequeuer.apis import parse_apis
from dequeuer.manifests.cluster import ClusterFacts, NodeGroup
from dequeuer.manifests.conversion import chart_values
from dequeuer.manifests.notes import Notes
from dequeuer.manifests.rendering import RenderError
from dequeuer.manifests.rendering import render as render_plain
from dequeuer.manifests.writing import values_text
from tests.deploy.chart.rendering import CHART, ROOT, Rendered, containers, render
from tests.deploy.chart.test_hostile_values import TEXTS
from tests.deploy.chart.test_schemas import VERSIONS, faults_of, is_custom

QUEUE = "https://sqs.eu-west-1.amazonaws.com/111122223333/sum.fifo"
CLUSTER = ClusterFacts(
    cluster_uid="uid-1",
    bucket="my-bucket",
    region="eu-west-1",
    node_groups={"gpu": NodeGroup(is_spot=True), "cpu": NodeGroup(is_spot=False)},
)
CORTEX_YAML = """
- name: sum
  kind: AsyncAPI
  pod:
    port: 9000
    max_concurrency: 4
    containers:
      - name: api
        image: quay.io/team/sum:1
        command: [python, main.py]
        args: ["$(CORTEX_PORT)"]
        env: {MODE: "1"}
        compute: {cpu: 1.5, mem: 2Gi, gpu: 1, shm: 64Mi}
        readiness_probe: {http_get: {path: /ready, port: 9000}, period_seconds: 5}
        liveness_probe: {exec: {command: [cat, alive]}}
        pre_stop: {exec: {command: [sleep, "1"]}}
      - {name: side, image: side:1, compute: {inf: 0, mem: 128Mi, cpu: null}}
  autoscaling:
    min_replicas: 0
    max_replicas: 8
    target_in_flight: 3
    max_upscale_factor: 3
    downscale_stabilization_period: 10m
  node_groups: [gpu, cpu]
  update_strategy: {max_surge: 2, max_unavailable: 0%}
  networking: {endpoint: /v1/sum}
- name: answer-a
  kind: RealtimeAPI
  pod: &pod {max_concurrency: 8, max_queue_length: 9, containers: [{name: api, image: "a:1", compute: {inf: 1}}]}
  autoscaling: {window: 30s}
- {name: answer-b, kind: RealtimeAPI, pod: *pod}
- name: answer
  kind: TrafficSplitter
  apis: [{name: answer-a, weight: 100}, {name: answer-b, weight: 5, shadow: true}]
- name: classify
  kind: BatchAPI
  pod: {containers: [{name: api, image: "c:1", command: [], args: [run], compute: {mem: 64Mi}}]}
- {name: clean, kind: TaskAPI, pod: {containers: [{name: api, image: "t:1", command: [run]}]}}
"""


def values_of(text: str) -> dict[str, Any]:
    """Return the values as Helm reads them."""
    data = text.encode()
    notes = Notes(data, "cortex.yaml")
    apis = parse_apis(data, "cortex.yaml", has_all_targets=True)
    values = chart_values(apis, CLUSTER, {"sum": QUEUE}, notes)
    read: dict[str, Any] = helm_python.values_from_yaml(values_text(values, notes.lines(), "cortex.yaml"))
    assert read == json.loads(json.dumps(values))
    return read


@pytest.fixture(scope="module")
def rendered() -> Rendered:
    return render(values_of(CORTEX_YAML))


def test_kubernetes_and_keda_take_every_object(rendered: Rendered) -> None:
    custom = [document for document in rendered.objects if is_custom(document)]
    assert {document["kind"] for document in custom} == {"ScaledObject", "TriggerAuthentication"}
    assert faults_of(custom) == []
    for document in rendered.objects:
        if not is_custom(document):
            kubernetes_validate.validate(document, VERSIONS[-1], strict=True)


def test_the_pod_of_an_async_api_is_what_the_file_says(rendered: Rendered) -> None:
    pod = rendered.pod("api-sum")
    found = containers(pod)
    api = found["api"]
    assert set(found) == {"api", "side", "dequeuer"}
    assert (api["command"], api["args"]) == (["python", "main.py"], ["$(CORTEX_PORT)"])
    assert {"name": "MODE", "value": "1"} in api["env"]
    assert {"name": "CORTEX_PORT", "value": "9000"} in api["env"]
    assert api["resources"] == {"requests": {"cpu": "1500m", "memory": "2Gi"}, "limits": {"nvidia.com/gpu": 1}}
    assert api["livenessProbe"]["exec"] == {"command": ["cat", "alive"]}
    assert api["lifecycle"] == {"preStop": {"exec": {"command": ["sleep", "1"]}}}
    assert found["side"]["resources"] == {"requests": {"memory": "128Mi"}}
    assert {"name": "DEQUEUER_WORKERS", "value": "4"} in found["dequeuer"]["env"]
    assert {"name": "DEQUEUER_QUEUE_URL", "value": QUEUE} in found["dequeuer"]["env"]
    assert pod["securityContext"]["runAsNonRoot"] is False
    assert {"key": "workload", "operator": "Equal", "value": "true", "effect": "NoSchedule"} in pod["tolerations"]
    required = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert required["nodeSelectorTerms"][0]["matchExpressions"][0]["values"] == ["cx-ws-gpu", "cx-wd-cpu"]
    (shm,) = [volume for volume in pod["volumes"] if volume["name"] == "shm"]
    assert shm["emptyDir"] == {"medium": "Memory", "sizeLimit": "64Mi"}
    strategy = rendered.get("Deployment", "api-sum")["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxSurge": 2, "maxUnavailable": "0%"}


def test_the_readiness_probe_of_an_async_api_is_the_dequeuer_s(rendered: Rendered) -> None:
    (spec,) = [found for name, found in rendered.of_kind("ConfigMap").items() if name == "api-sum"]
    assert json.loads(spec["data"]["probes.json"])["api"]["httpGet"] == {"path": "/ready", "port": 9000}


def test_the_scaled_object_has_the_limits_of_the_file(rendered: Rendered) -> None:
    scaled = rendered.get("ScaledObject", "api-sum")["spec"]
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (0, 8)
    assert scaled["triggers"][0]["metadata"]["queueLength"] == "3"
    behavior = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 600
    assert behavior["scaleUp"]["policies"][0] == {"type": "Percent", "value": 200, "periodSeconds": 15}
    realtime = rendered.get("ScaledObject", "api-answer-a")["spec"]["triggers"][0]["metadata"]
    assert "[30s]" in realtime["query"]


def test_the_gateway_gets_all_endpoints(rendered: Rendered) -> None:
    (text,) = [
        found["data"]["cortex.yaml"]
        for kind in ("ConfigMap", "Secret")
        for found in rendered.of_kind(kind).values()
        if "cortex.yaml" in found.get("data", {}) and "answer-a" in found["data"]["cortex.yaml"]
    ]
    served = {api["name"]: api for api in yaml.safe_load(text)}
    assert served["sum"]["networking"] == {"endpoint": "/v1/sum"}
    assert [part["weight"] for part in served["answer"]["apis"]] == [100, 5]
    assert set(served) == {"sum", "answer-a", "answer-b", "answer", "classify"}


def test_the_example_of_the_project_is_rendered() -> None:
    text = (ROOT / "examples" / "sum" / "cortex.yaml").read_text(encoding="utf-8")
    assert "api-sum" in render(values_of(text)).of_kind("ConfigMap")


@pytest.mark.parametrize("text", TEXTS)
def test_a_hostile_variable_reaches_the_pod_as_it_was_written(text: str) -> None:
    written = '"' + "".join(f"\\U{ord(character):08x}" for character in text) + '"'
    file = (
        "- {name: sum, kind: AsyncAPI, pod: {containers: "
        f"[{{name: api, image: 'a:1', args: [{written}], env: {{A: {written}}}}}]}}}}"
    )
    api = containers(render(values_of(file)).pod("api-sum"))["api"]
    assert api["args"] == [text]
    assert {"name": "A", "value": text} in [{"value": "", **variable} for variable in api["env"]]


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.text(), max_size=3))
def test_helm_reads_any_text_as_it_was_written(values: dict[str, str]) -> None:
    values = {name: text.encode("utf-8", "replace").decode() for name, text in values.items()}
    assert helm_python.values_from_yaml(values_text(values, [], "f")) == values


def test_plain_prints_the_manifests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, cluster = tmp_path / "cortex.yaml", tmp_path / "cluster.yaml"
    file.write_text(CORTEX_YAML, encoding="utf-8")
    cluster.write_text("cluster_uid: u\nbucket: b\nregion: eu-west-1\n", encoding="utf-8")
    arguments = ["manifests", str(file), "--cluster-config", str(cluster), "--queues", f"sum={QUEUE}"]
    assert cli.main([*arguments, "--plain", "--release", "rel", "--namespace", "ns"]) == 0
    found = [document for document in yaml.safe_load_all(capsys.readouterr().out) if document]
    names = {(document["kind"], document["metadata"]["name"]) for document in found}
    assert {("Deployment", "api-sum"), ("Service", "api-answer-a"), ("Deployment", "rel-gateway")} <= names
    assert {document["metadata"]["namespace"] for document in found if "namespace" in document["metadata"]} <= {"ns"}


def test_without_a_queue_the_chart_refuses_and_says_which(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cortex.yaml"
    file.write_text(CORTEX_YAML, encoding="utf-8")
    assert cli.main(["manifests", str(file), "--plain"]) == 1
    found = capsys.readouterr()
    assert found.out == ""
    assert "apis.sum.queueUrl: is needed by an AsyncAPI" in found.err


def test_a_value_that_the_schema_does_not_know_is_refused() -> None:
    with pytest.raises(RenderError, match="Helm refuses the values"):
        render_plain({"apis": {"sum": {"kindd": "AsyncAPI"}}}, CHART, "rel", "ns")
