"""The programs of a release start with the variables and files that the chart gives them."""

import json
from pathlib import Path

import pytest

from dequeuer.apis import BatchApi, load_apis
from dequeuer.gateway.endpoints import load_endpoints
from dequeuer.probes.spec import load_probes
from dequeuer.settings import (
    load_controller,
    load_enqueuer,
    load_gateway,
    load_proxy,
    load_sidecar,
    load_ui,
    load_webhooks,
)
from tests.deploy.chart.rendering import (
    JOB,
    api_pods,
    async_api,
    chart,
    containers,
    environment,
    filled,
    realtime_api,
    render,
    rendered,
    sidecar,
    values_with,
)

NO_CLUSTER = "/nonexistent/cluster.yaml"
GATEWAY = "demo-gateway"


def test_the_dequeuers_and_proxies_take_their_variables() -> None:
    kinds = {}
    for name, pod, _ in api_pods():
        own = sidecar(pod)
        if own["name"] == "proxy":
            proxy = load_proxy(own["args"][1:], environment(own))
            kinds[name] = "realtime"
            assert proxy.port == 8888
            ends_after_s = proxy.shutdown_delay_s + proxy.shutdown_grace_s
        else:
            settings = load_sidecar(own.get("args", []), environment(own), cluster_config=NO_CLUSTER)
            kinds[name] = settings.api_kind
            assert (settings.store_bucket, settings.cluster_uid) == ("my-bucket", "my-cluster")
            ends_after_s = settings.shutdown_grace_s
        assert pod["terminationGracePeriodSeconds"] >= ends_after_s + 5, name
    assert kinds == {
        "api-text-generator": "async",
        "api-embedder": "async",
        "api-answer-a": "realtime",
        "api-answer-b": "realtime",
        "api-answer-next": "realtime",
        "api-trainer": "async",
        "image-classifier": "batch",
    }


def test_the_probes_of_the_containers_are_those_of_the_dequeuer(tmp_path: Path) -> None:
    for name, pod, files in api_pods():
        own = sidecar(pod)
        path = tmp_path / f"{name}.json"
        path.write_text(files["probes.json"], encoding="utf-8")
        if own["name"] == "dequeuer":
            settings = load_sidecar([], environment(own), cluster_config=NO_CLUSTER)
            probes = load_probes(str(path), settings.user_port)
            given = json.loads(files["probes.json"]).values()
            # A TCP probe of the port is added, unless there is one.
            has_default = any(probe.get("tcpSocket") == {"port": settings.user_port} for probe in given)
            assert len(probes) == len(given) + (not has_default), name
            assert all(
                "readinessProbe" not in container for container in containers(pod).values() if container is not own
            )


def test_a_named_port_of_a_probe_becomes_its_number() -> None:
    probes = json.loads(rendered("full.yaml").get("ConfigMap", "api-text-generator")["data"]["probes.json"])
    assert probes["api"]["httpGet"] == {"path": "/healthz", "port": 8080}


def test_the_kubelet_keeps_the_probes_of_a_realtime_api() -> None:
    probe = {"exec": {"command": ["cat", "/tmp/ready"]}}  # noqa: S108 - a path in a container
    release = rendered("full.yaml")
    assert containers(release.pod("api-answer-next"))["api"]["readinessProbe"] == probe
    assert json.loads(release.get("ConfigMap", "api-answer-next")["data"]["probes.json"]) == {"api": probe}


def test_the_gateway_takes_its_variables_and_serves_all_apis(tmp_path: Path) -> None:
    release = rendered("full.yaml")
    [container] = release.pod(GATEWAY)["containers"]
    environ = environment(container)
    settings = load_gateway(container["args"][1:], environ)
    assert settings.port == 8080
    path = tmp_path / "cortex.yaml"
    path.write_text(release.get("ConfigMap", GATEWAY)["data"]["cortex.yaml"], encoding="utf-8")
    endpoints = load_endpoints(str(path), settings.queues, settings.realtime_urls)
    assert {(endpoint.api_name, endpoint.kind, endpoint.path) for endpoint in endpoints} == {
        ("text-generator", "AsyncAPI", "/v1/text"),
        ("embedder", "AsyncAPI", "/embedder"),
        ("trainer", "AsyncAPI", "/trainer"),
        ("answer-a", "RealtimeAPI", "/answer-a"),
        ("answer-b", "RealtimeAPI", "/answer-b"),
        ("answer-next", "RealtimeAPI", "/answer-next"),
        ("answer", "TrafficSplitter", "/answer"),
        ("image-classifier", "BatchAPI", "/image-classifier"),
    }
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert {str(Path(environ[name]).parent) for name in ("DEQUEUER_APIS", "DEQUEUER_TOKENS")} == mounts


def test_realtime_apis_are_where_the_gateway_looks_for_them() -> None:
    service = rendered("full.yaml").get("Service", "api-answer-a")
    assert service["spec"]["ports"] == [{"name": "http", "port": 8888, "targetPort": 8888, "protocol": "TCP"}]


def test_webhooks_and_enqueuer_take_their_variables() -> None:
    release = rendered("full.yaml")
    [container] = release.pod("demo-webhooks")["containers"]
    webhooks = load_webhooks(container["args"][1:], environment(container))
    assert webhooks.keys_path == "/etc/dequeuer/keys/keys"
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/etc/dequeuer/keys"]
    job = filled(release.job("image-classifier", "enqueuer.yaml"), JOB)
    [container] = job["spec"]["template"]["spec"]["containers"]
    enqueuer = load_enqueuer(container["args"][1:], environment(container))
    assert (enqueuer.api_name, enqueuer.job_id) == ("image-classifier", JOB["__JOB_ID__"])


def test_the_page_takes_its_variables_and_asks_the_gateway_of_the_release() -> None:
    release = rendered("full.yaml")
    [container] = release.pod("demo-ui")["containers"]
    settings = load_ui(container["args"][1:], environment(container))
    service = release.get("Service", GATEWAY)
    assert settings.gateway_url == f"http://{service['metadata']['name']}.{service['metadata']['namespace']}.svc"
    assert 80 in {port["port"] for port in service["spec"]["ports"]}
    assert settings.names == ("page.apis.svc", "page.example.com")
    assert [one.url for one in settings.metrics] == ["http://10.0.0.7:15000"]
    folders = {str(Path(str(path)).parent) for path in (settings.token_path, settings.gateway_token_path)}
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == folders
    assert settings.gateway_token_path == "/etc/dequeuer/gateway-token/read"
    [port] = release.get("Service", "demo-ui")["spec"]["ports"]
    assert (port["targetPort"], container["ports"][0]["containerPort"]) == (settings.port, settings.port)


def test_the_page_of_another_gateway_needs_none_in_the_release() -> None:
    page = {"enabled": True, "token": {"secretName": "page"}, "gatewayUrl": "https://gateway.example.com"}
    [container] = render({"ui": page}).pod("demo-ui")["containers"]
    settings = load_ui([], environment(container))
    assert (settings.gateway_url, settings.gateway_token_path) == ("https://gateway.example.com", None)


def test_the_controller_takes_its_variables_and_its_apis(tmp_path: Path) -> None:
    release = rendered("full.yaml")
    [container] = release.pod("demo-controller")["containers"]
    settings = load_controller(container["command"][2:], environment(container))
    assert (settings.launcher, settings.operator_url) == ("local", "http://demo-gateway.apis.svc:8888")
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert {str(Path(settings.apis_path).parent), settings.work_folder} == mounts
    path = tmp_path / "cortex.yaml"
    path.write_text(release.get("Secret", "demo-controller")["stringData"]["cortex.yaml"], encoding="utf-8")
    [api] = load_apis(str(path))
    assert isinstance(api, BatchApi)
    [own] = api.pod.containers
    assert (own.name, dict(own.env)) == ("api", {"THREADS": "4"})
    assert own.readiness_probe is not None


def test_what_gateway_and_dequeuers_must_agree_on_is_one_value() -> None:
    release = rendered("full.yaml")
    [gateway] = release.pod(GATEWAY)["containers"]
    for name in ("DEQUEUER_RESULT_RETENTION_DAYS", "DEQUEUER_PAUSE_CHECK_INTERVAL", "DEQUEUER_WEBHOOK_QUEUE"):
        assert environment(gateway)[name] == environment(sidecar(release.pod("api-text-generator")))[name]


@pytest.mark.parametrize("concurrency", [1, 1000, "auto", "auto:50", "auto:1000"])
def test_every_concurrency_that_the_chart_allows_is_one_of_the_dequeuer(concurrency: int | str) -> None:
    pod = render(values_with({"sum": async_api(concurrency=concurrency)})).pod("api-sum")
    settings = load_sidecar([], environment(sidecar(pod)), cluster_config=NO_CLUSTER)
    assert str(settings.max_workers) == str(concurrency).removeprefix("auto:").replace("auto", "100")


@pytest.mark.parametrize("bound", ["minimum", "maximum"])
def test_the_largest_and_smallest_values_of_the_schema_are_settings(bound: str) -> None:
    schema = chart().schema
    assert schema is not None
    properties = schema["definitions"]["api"]["properties"]
    api = {name: properties[name][bound] for name in ("shutdownGrace", "requestTimeout", "port")}
    realtime = {**api, "concurrency": properties["concurrency"][bound], "queueLength": properties["queueLength"][bound]}
    realtime["shutdownDelay"] = properties["shutdownDelay"][bound]
    job = {name: node[bound] for name, node in properties["scaledJob"]["properties"].items()}
    # 0 is for realtime APIs alone, and a rule of the chart refuses it for the others.
    api["requestTimeout"] = api["requestTimeout"] or 0.1
    long = async_api(workload="ScaledJob", scaledJob=job, autoscaling={"type": "keda"}, **api)
    top = {name: schema["properties"][name][bound] for name in ("resultRetentionDays", "pauseCheckInterval")}
    inline = schema["properties"]["gateway"]["properties"]["inlineBytes"][bound]
    values = values_with(
        {"a": long, "b": realtime_api(**realtime)}, gateway={"enabled": True, "inlineBytes": inline}, **top
    )
    release = render(values)
    pod = release.get("ScaledJob", "api-a")["spec"]["jobTargetRef"]["template"]["spec"]
    settings = load_sidecar([], environment(sidecar(pod)), cluster_config=NO_CLUSTER)
    assert (settings.max_messages, settings.exit_when_idle_s) == (job["maxMessages"], job["exitWhenIdle"])
    proxy = load_proxy([], environment(sidecar(release.pod("api-b"))))
    assert (proxy.max_concurrency, proxy.max_queue_length) == (realtime["concurrency"], realtime["queueLength"])
    [gateway] = release.pod(GATEWAY)["containers"]
    assert load_gateway([], environment(gateway)).inline_bytes == inline


def test_large_numbers_of_containers_are_written_in_full() -> None:
    api = rendered("full.yaml").pod("api-embedder")["containers"][1]
    assert api["securityContext"] == {"runAsUser": 1000680000}
