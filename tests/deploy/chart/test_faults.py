"""Values that do not fit together are refused, with a text that names the value and says what is allowed."""

import json
from typing import Any

import pytest
from helm_python import HelmError, lint

from tests.deploy.chart.rendering import CHART, async_api, batch_api, chart, realtime_api, render, values_with

QUEUE = "https://sqs.eu-west-1.amazonaws.com/111122223333/sum.fifo"
PAGE = {"enabled": True, "token": {"secretName": "page-token"}}
ROUTE = {"enabled": True, "parentRefs": [{"name": "public"}]}


def container(**fields: Any) -> dict[str, Any]:
    return {"name": "api", "image": "registry.example.com/sum:1", **fields}


WITHOUT_QUEUE = {"kind": "AsyncAPI", "containers": [container()]}


def probed(**probe: Any) -> list[dict[str, Any]]:
    return [container(readinessProbe=probe)]


def one(api: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return values_with({"sum": api}, **fields)


def split(*parts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    apis = {"a": realtime_api(), "b": realtime_api(), "c": async_api()}
    return values_with(apis, trafficSplitters={"ab": {"apis": list(parts), **fields}})


CASES: list[tuple[dict[str, Any], str]] = [
    (one(WITHOUT_QUEUE), "apis.sum.queueUrl: is needed by an AsyncAPI"),
    (one(realtime_api(queueUrl=QUEUE)), "apis.sum.queueUrl: a RealtimeAPI has no queue of its own"),
    (one(batch_api(queueUrl=QUEUE)), "apis.sum.queueUrl: a BatchAPI has no queue of its own"),
    (one(async_api(), bucket=""), "bucket: is needed by apis.sum"),
    (one(async_api(), clusterUid=""), "clusterUid: is needed by apis.sum"),
    ({"gateway": {"enabled": True}, "bucket": "my-bucket"}, "clusterUid: is needed by gateway"),
    (
        values_with({"a": async_api(endpoint="x/y"), "b": realtime_api(endpoint="/x/y")}),
        "endpoint /x/y: is that of apis.a and apis.b",
    ),
    (values_with({"a": async_api(endpoint="b"), "b": realtime_api()}), "endpoint /b: is that of apis.a and apis.b"),
    (one(async_api(endpoint="batch/x")), "apis.sum.endpoint: the gateway itself answers /batch"),
    (one(async_api(endpoint="x/../y")), "apis.sum.endpoint: /x/../y has a segment . or .."),
    (one(async_api(concurrency=1001)), "apis.sum.concurrency: 1001; allowed for AsyncAPI: at most 1000"),
    (one(async_api(concurrency="auto:1001")), "apis.sum.concurrency: auto:1001; allowed: at most auto:1000"),
    (one(async_api(requestTimeout=0)), "apis.sum.requestTimeout: 0; allowed for AsyncAPI: more than 0"),
    (
        one(async_api(updateStrategy={"maxSurge": 0, "maxUnavailable": "0%"})),
        "apis.sum.updateStrategy: maxSurge and maxUnavailable are both 0",
    ),
    (one(async_api(httpRoute=ROUTE)), "apis.sum.httpRoute: an API of kind AsyncAPI is reached through the gateway"),
    (one(realtime_api(httpRoute={"enabled": True})), "apis.sum.httpRoute.parentRefs: is empty"),
    (one(realtime_api(ingress={"enabled": True})), "apis.sum.ingress.host: is empty"),
    (
        one(async_api(env=[{"name": "DEQUEUER_WORKERS", "value": "2"}])),
        "apis.sum.env: DEQUEUER_WORKERS is there twice; the chart sets it from a value",
    ),
    (one(async_api(containers=[container(), container()])), "apis.sum.containers[api]: two containers have this name"),
    (
        one(async_api(containers=[container(ports=[{"containerPort": 15000}])])),
        "apis.sum.containers[api].ports: 15000 is a port of the dequeuer or proxy",
    ),
    (
        one(async_api(containers=probed(httpGet={"port": 8888}))),
        "readinessProbe.httpGet.port: 8888 is a port of the dequeuer or proxy",
    ),
    (
        one(async_api(containers=probed(httpGet={"port": "web"}))),
        'readinessProbe.httpGet.port: no port of the container has the name "web"',
    ),
    (
        one(async_api(containers=probed(exec={"command": ["true"]}))),
        "readinessProbe: the dequeuer runs it, which knows no exec and no grpc",
    ),
    (
        one(batch_api(containers=probed(grpc={"port": 9000}))),
        "readinessProbe: the dequeuer runs it, which knows no exec and no grpc",
    ),
    (one(async_api(containers=probed(periodSeconds=5))), "readinessProbe: has 0 handlers; allowed: exactly one of"),
    (
        one(realtime_api(containers=probed(tcpSocket={"port": 1}, exec={"command": ["true"]}))),
        "readinessProbe: has 2 handlers",
    ),
    (
        one(async_api(containers=[container(env=[{"name": "CORTEX_PORT", "value": "1"}])])),
        "apis.sum.containers[api].env: CORTEX_PORT is set by the chart or reserved",
    ),
    (
        one(async_api(containers=[container(env=[{"name": "A"}, {"name": "A"}])])),
        "apis.sum.containers[api].env: A is there twice",
    ),
    (
        one(async_api(form="prestop", containers=[container(lifecycle={"preStop": {"sleep": {"seconds": 1}}})])),
        "lifecycle.preStop: with `form: prestop` the hook of the container waits for the drain",
    ),
    (one(batch_api(containers=[container()])), "apis.sum.containers[api]: a BatchAPI needs `command` or `args`"),
    (
        one(batch_api(autoscaling={"type": "keda"})),
        "apis.sum.autoscaling: a BatchAPI has as many workers as its jobs ask for",
    ),
    (one(async_api(podLabels={"apiName": "x"})), "apis.sum.podLabels: apiName is set by the chart"),
    (one(async_api(volumes=[{"name": "mnt", "emptyDir": {}}])), "apis.sum.volumes: mnt is a volume of the chart"),
    (
        one(async_api(autoscaling={"type": "keda", "minReplicas": 3, "maxReplicas": 2})),
        "apis.sum.autoscaling.minReplicas: 3 is above maxReplicas, 2",
    ),
    (
        one(async_api(concurrency="auto", autoscaling={"type": "keda"})),
        "apis.sum.autoscaling.targetInFlight: is needed, because concurrency is auto",
    ),
    (
        one(async_api(autoscaling={"type": "hpa", "minReplicas": 0, "metricName": "x"})),
        "apis.sum.autoscaling.minReplicas: 0 needs type keda",
    ),
    (one(async_api(autoscaling={"type": "hpa"})), "apis.sum.autoscaling.metricName: is needed with hpa"),
    (
        one(realtime_api(autoscaling={"type": "keda", "minReplicas": 0})),
        "apis.sum.autoscaling.minReplicas: 0, but a RealtimeAPI without pods has no metric",
    ),
    (one(async_api(autoscaling={"type": "keda"}), region=""), "region: is needed by KEDA"),
    (
        one(async_api(autoscaling={"type": "keda", "targetInFlight": 1.5})),
        "apis.sum.autoscaling.targetInFlight: 1.5; KEDA takes a whole number",
    ),
    (one(async_api(workload="ScaledJob")), "apis.sum.autoscaling.type: none; KEDA starts the Jobs"),
    (
        one(async_api(workload="ScaledJob", form="prestop", autoscaling={"type": "keda"})),
        "apis.sum.form: with prestop the Jobs of a ScaledJob would not end",
    ),
    (
        values_with({"a": async_api(), "b": realtime_api()}, defaults={"serviceAccount": {"name": "shared"}}),
        "serviceAccount.name shared: is created for apis.a and apis.b; set serviceAccount.create to false",
    ),
    (
        values_with(
            {"a": async_api(serviceAccount={"name": "demo-gateway"})},
            gateway={"enabled": True},
        ),
        "serviceAccount.name demo-gateway: is created for gateway and apis.a",
    ),
    (
        one(async_api(containers=probed(httpGet={"path": "/", "port": "8080"}))),
        'apis.sum.containers[api].readinessProbe.httpGet.port: "8080" is a text',
    ),
    (
        one(realtime_api(containers=[container(livenessProbe={"tcpSocket": {"port": "8080"}})])),
        'apis.sum.containers[api].livenessProbe.tcpSocket.port: "8080" is a text',
    ),
    (one(realtime_api(workload="ScaledJob")), "apis.sum.workload: ScaledJob is for an AsyncAPI"),
    (
        split({"name": "a", "weight": 60}, {"name": "b", "weight": 50}),
        "trafficSplitters.ab.apis: the weights are 110 together; allowed: 100",
    ),
    (
        split({"name": "a", "weight": 50}, {"name": "c", "weight": 50}),
        "trafficSplitters.ab.apis: c is no RealtimeAPI of `apis`",
    ),
    (split({"name": "a", "weight": 50}, {"name": "a", "weight": 50}), "trafficSplitters.ab.apis: a is there twice"),
    (
        split({"name": "a", "weight": 50}, {"name": "missing", "weight": 50}),
        "trafficSplitters.ab.apis: missing is no RealtimeAPI",
    ),
    (
        split(
            {"name": "a", "weight": 100},
            {"name": "b", "weight": 1, "shadow": True},
            {"name": "c", "weight": 1, "shadow": True},
        ),
        "trafficSplitters.ab.apis: has 2 shadows",
    ),
    (split({"name": "a", "weight": 100}, endpoint="b"), "endpoint /b: is that of apis.b and trafficSplitters.ab"),
    (
        split({"name": "a", "weight": 100}, httpRoute={"enabled": True}),
        "trafficSplitters.ab.httpRoute.parentRefs: is empty",
    ),
    (
        values_with(
            {"a": realtime_api()}, trafficSplitters={"a": {"endpoint": "x", "apis": [{"name": "a", "weight": 100}]}}
        ),
        "trafficSplitters.a: an API has this name, too",
    ),
    (one(async_api(), defaults={"endpoint": "x"}), "defaults.endpoint: belongs to one API"),
    (one(async_api(), gateway={"httpRoute": {"enabled": True}}), "gateway.httpRoute.parentRefs: is empty"),
    (one(async_api(), gateway={"ingress": {"enabled": True}}), "gateway.ingress.host: is empty"),
    (
        one(async_api(), gateway={"env": [{"name": "DEQUEUER_APIS", "value": "x"}]}),
        "gateway.env: DEQUEUER_APIS is set by the chart from a value",
    ),
    (one(async_api(), webhooks={"enabled": True}), "webhooks.queueUrl: is needed"),
    (one(async_api(), controller={"enabled": True, "image": "x"}), "controller.enabled: there is no BatchAPI"),
    (one(batch_api(), controller={"enabled": True}), "controller.image: is needed"),
    (one(async_api(), gateway={"enabled": True}, ui={"enabled": True}), "ui.token.secretName: is needed"),
    ({"ui": PAGE}, "ui.gatewayUrl: is needed, because the release has no gateway"),
    (
        one(async_api(), gateway={"enabled": True, "tokens": {"secretName": "tokens"}}, ui=PAGE),
        "ui.gatewayToken.secretName: is needed, because the gateway has tokens",
    ),
    (one(async_api(), ui={"ingress": {"enabled": True}}), "ui.ingress.host: is empty"),
    (
        one(async_api(), gateway={"enabled": True}, ui=PAGE | {"env": [{"name": "DEQUEUER_UI_HOST"}]}),
        "ui.env: DEQUEUER_UI_HOST is set by the chart from a value",
    ),
    (
        values_with({"a": async_api(serviceAccount={"name": "demo-ui"})}, gateway={"enabled": True}, ui=PAGE),
        "serviceAccount.name demo-ui: is created for ui and apis.a",
    ),
    (one(async_api(), cortexNames={"enabled": True}), "cortexNames.enabled: the names lead to the gateway"),
]


def refusal(values: dict[str, Any]) -> str:
    with pytest.raises(HelmError) as caught:
        render(values)
    return str(caught.value)


@pytest.mark.parametrize(("values", "text"), CASES, ids=[text[:60] for _, text in CASES])
def test_values_that_do_not_fit_together_are_refused(values: dict[str, Any], text: str) -> None:
    assert text in refusal(values)


@pytest.mark.parametrize("part", ["gateway", "webhooks", "ui", "client-config"])
def test_an_api_and_a_program_of_the_release_have_no_object_in_common(part: str) -> None:
    webhooks = {"enabled": True, "queueUrl": QUEUE}
    values = values_with({part: async_api()}, gateway={"enabled": True}, webhooks=webhooks, ui=PAGE)
    with pytest.raises(HelmError, match=f"apis.{part}: its objects have the name api-{part}"):
        chart().render(values, name="api", namespace="apis")
    chart().render(values, name="apis", namespace="apis")
    chart().render(values_with({"gateway": async_api()}), name="api", namespace="apis")


def test_all_faults_are_listed_at_once() -> None:
    text = refusal(values_with({"a": {**WITHOUT_QUEUE, "requestTimeout": 0}, "b": realtime_api(queueUrl=QUEUE)}))
    for fault in ("apis.a.queueUrl", "apis.a.requestTimeout", "apis.b.queueUrl"):
        assert fault in text


TYPOS: list[tuple[dict[str, Any], str]] = [
    (one(async_api(concurency=4)), "concurency"),
    (one(async_api(autoscaling={"minReplica": 1})), "minReplica"),
    (one(async_api(containers=[container(imagePullPolcy="Always")])), "imagePullPolcy"),
    (one(async_api(containers=[container(restartPolicy="Always")])), "restartPolicy"),
    (one(async_api(containers=probed(httpget={"port": 1}))), "httpget"),
    (one(async_api(kind="TaskAPI")), "kind"),
    (one(async_api(port=15000)), "port"),
    (one(async_api(port=0)), "port"),
    (one(async_api(queueUrl="sum.fifo")), "queueUrl"),
    (one(async_api(queueUrl="https://sqs.eu-west-1.amazonaws.com/1/a,b=https://x")), "queueUrl"),
    (one(async_api(concurrency=0)), "concurrency"),
    (one(async_api(concurrency="automatic")), "concurrency"),
    (one(async_api(form="sidecar")), "form"),
    (one(async_api(containers=[])), "containers"),
    (one({"kind": "AsyncAPI"}), "containers"),
    (one(async_api(containers=[container(name="dequeuer")])), "name"),
    (one(async_api(containers=[container(name="proxy")])), "name"),
    (one(async_api(containers=[container(env=[{"name": "A", "value": 1}])])), "value"),
    (one(async_api(endpoint="a b")), "endpoint"),
    (values_with({"Sum": async_api()}), "Sum"),
    (values_with({"b-sum": async_api()}), "b-sum"),
    (values_with({"a" * 43: async_api()}), "a" * 43),
    (one(async_api(), clusterUID="x"), "clusterUID"),
    (one(async_api(), image={"digest": "sha256:12"}), "digest"),
    (one(async_api(), gateway={"enable": True}), "enable"),
    (one(async_api(), ui={"gatewayUrl": "gateway:80"}), "gatewayUrl"),
    (one(async_api(), ui={"names": ["a,b"]}), "names"),
    (one(async_api(), defaults={"shutdownGrace": -1}), "shutdownGrace"),
]


@pytest.mark.parametrize(("values", "field"), TYPOS, ids=[field for _, field in TYPOS])
def test_the_schema_refuses_mistakes_and_names_the_field(values: dict[str, Any], field: str) -> None:
    assert field in refusal(values)


def test_the_schema_describes_every_value_and_allows_no_others() -> None:
    schema = json.loads(json.dumps(chart().schema))

    def check(node: dict[str, Any], place: str) -> int:
        """Return how many values are described."""
        found = 0
        for name, value in node.get("properties", {}).items():
            target = schema["definitions"][value["$ref"].rpartition("/")[2]] if "$ref" in value else value
            assert target.get("description", "").endswith("."), f"{place}.{name} has no description"
            found += 1 + check(value, f"{place}.{name}")
        if "properties" in node:
            assert node["additionalProperties"] is False, place
        for name in ("items", "additionalProperties"):
            if isinstance(node.get(name), dict):
                found += check(node[name], f"{place}[]")
        return found

    total = check(schema, "") + sum(check(node, name) for name, node in schema["definitions"].items())
    assert total > 150


def test_kubernetes_before_1_29_needs_the_other_form(capfd: pytest.CaptureFixture[str]) -> None:
    # `helm lint` can be told a version. It does not end at a fault of the chart's own rules, but it prints them.
    def printed(form: str, version: str) -> str:
        lint(CHART, one(async_api(form=form)), kube_version=version)
        return capfd.readouterr().err

    assert "apis.sum.form: native needs Kubernetes 1.29 or later, this is v1.28.3" in printed("native", "v1.28.3")
    assert "native needs" not in printed("native", "v1.29.0")
    assert "native needs" not in printed("prestop", "v1.28.3")
