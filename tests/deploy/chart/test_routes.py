"""How requests reach the APIs: the gateway, routes of the Gateway API, Ingresses, and the names of Cortex."""

from typing import Any

import helm_python

from tests.deploy.chart.rendering import CHART, rendered, values_of


def rules(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = rendered("full.yaml").get("HTTPRoute", name)["spec"]["rules"]
    return found


def rewrite(kind: str, field: str) -> dict[str, Any]:
    return {"type": "URLRewrite", "urlRewrite": {"path": {"type": kind, field: "/"}}}


def test_a_realtime_api_gets_the_rest_of_the_path() -> None:
    assert rules("api-answer-a") == [
        {
            "matches": [{"path": {"type": "PathPrefix", "value": "/answer-a"}}],
            "filters": [rewrite("ReplacePrefixMatch", "replacePrefixMatch")],
            "backendRefs": [{"name": "api-answer-a", "port": 8888}],
        }
    ]


def test_a_splitter_has_weights_and_a_mirror_at_exactly_its_path() -> None:
    mirror = {"backendRef": {"name": "api-answer-next", "port": 8888}, "percent": 50}
    assert rules("api-answer") == [
        {
            "matches": [{"path": {"type": "Exact", "value": "/answer"}}],
            "filters": [
                rewrite("ReplaceFullPath", "replaceFullPath"),
                {"type": "RequestMirror", "requestMirror": mirror},
            ],
            "backendRefs": [
                {"name": "api-answer-a", "port": 8888, "weight": 30},
                {"name": "api-answer-b", "port": 8888, "weight": 70},
            ],
        }
    ]


def test_an_ingress_is_for_one_host_and_changes_no_path() -> None:
    spec = rendered("full.yaml").get("Ingress", "api-answer-b")["spec"]
    assert (spec["ingressClassName"], spec["tls"]) == ("nginx", [{"hosts": ["b.example.com"], "secretName": "b-tls"}])
    [rule] = spec["rules"]
    backend = {"service": {"name": "api-answer-b", "port": {"number": 8888}}}
    assert rule == {
        "host": "b.example.com",
        "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]},
    }


def test_everything_else_goes_to_the_gateway() -> None:
    [rule] = rules("demo-gateway")
    assert rule["backendRefs"] == [{"name": "demo-gateway", "port": 80}]
    [ingress] = rendered("full.yaml").get("Ingress", "demo-gateway")["spec"]["rules"]
    assert ingress["http"]["paths"][0]["backend"]["service"] == {"name": "demo-gateway", "port": {"number": 80}}


def test_the_page_has_a_host_of_its_own() -> None:
    [ingress] = rendered("full.yaml").get("Ingress", "demo-ui")["spec"]["rules"]
    assert ingress["host"] == "page.example.com"
    assert ingress["http"]["paths"][0]["backend"]["service"] == {"name": "demo-ui", "port": {"number": 80}}


def test_the_names_of_cortex_lead_to_ports_that_the_gateway_has() -> None:
    release = rendered("full.yaml")
    names = {
        (found["metadata"]["namespace"], name): (found["spec"]["externalName"], found["spec"]["ports"][0]["port"])
        for name, found in release.of_kind("Service").items()
        if found["spec"]["type"] == "ExternalName"
    }
    target = "demo-gateway.apis.svc.cluster.local"
    assert names == {
        ("istio-system", "ingressgateway-apis"): (target, 80),
        ("istio-system", "ingressgateway-operator"): (target, 80),
        ("default", "operator"): (target, 8888),
    }
    ports = {port["port"]: port["targetPort"] for port in release.get("Service", "demo-gateway")["spec"]["ports"]}
    assert ports == {80: 8080, 8888: 8080}
    assert {"name": "http", "containerPort": 8080} in release.pod("demo-gateway")["containers"][0]["ports"]


def test_services_and_workloads_select_pods_that_are_there() -> None:
    release = rendered("full.yaml")
    pods = [found["spec"]["template"]["metadata"]["labels"] for found in release.of_kind("Deployment").values()]
    pods += [
        found["spec"]["jobTargetRef"]["template"]["metadata"]["labels"]
        for found in release.of_kind("ScaledJob").values()
    ]
    selectors = [found["spec"].get("selector") for found in release.of_kind("Service").values()]
    for kind in ("PodDisruptionBudget", "PodMonitor"):
        selectors += [found["spec"]["selector"]["matchLabels"] for found in release.of_kind(kind).values()]
    chosen = [selector for selector in selectors if selector and selector.get("apiName") != "image-classifier"]
    assert len(chosen) > 12
    for selector in chosen:
        assert len([pod for pod in pods if selector.items() <= pod.items()]) == 1, selector


def test_no_object_is_there_twice() -> None:
    found = [
        (document["kind"], document["metadata"].get("namespace"), document["metadata"]["name"])
        for document in rendered("full.yaml").objects
    ]
    assert len(found) == len(set(found)) > 40


def test_helm_lint_has_nothing_to_say_but_that_there_is_no_icon() -> None:
    for values in ({}, values_of("minimal.yaml"), values_of("full.yaml")):
        found = helm_python.lint(CHART, values, strict=True, namespace="apis")
        assert [message["error"] for message in found["messages"]] == ["icon is recommended"]
        assert found["errors"] == []
