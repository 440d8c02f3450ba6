"""The pods of APIs: the order of their containers, how long they may take to end, what they may do and see."""

from typing import Any

import pytest
import yaml

from tests.deploy.chart.rendering import (
    api_pods,
    async_api,
    containers,
    environment,
    realtime_api,
    render,
    rendered,
    sidecar,
    values_with,
)

RESTRICTED = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "runAsGroup": 65532,
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
PROGRAMS = ("gateway", "webhooks", "ui")


def test_in_the_native_form_the_dequeuer_is_the_only_main_container() -> None:
    for name, pod, _ in api_pods():
        if name == "api-embedder":
            continue
        [main] = pod["containers"]
        assert main["name"] in {"dequeuer", "proxy"}
        assert "restartPolicy" not in main
        assert pod["initContainers"], name
        assert {container["restartPolicy"] for container in pod["initContainers"]} == {"Always"}


def test_in_the_other_form_the_containers_wait_for_the_drain() -> None:
    pod = rendered("full.yaml").pod("api-embedder")
    assert "initContainers" not in pod
    own, api = pod["containers"]
    assert (own["name"], "lifecycle" in own) == ("dequeuer", False)
    assert api["lifecycle"] == {
        "preStop": {"httpGet": {"path": "/wait-for-drain", "port": 15000}},
        "postStart": {"exec": {"command": ["sleep", "1"]}},
    }
    assert "restartPolicy" not in api
    # The kubelet runs the hook before it restarts the container, too, and no drain has begun.
    assert api["livenessProbe"]["terminationGracePeriodSeconds"] == 10


def test_logs_and_exec_mean_the_container_of_the_user() -> None:
    template = rendered("full.yaml").get("Deployment", "api-text-generator")["spec"]["template"]
    name = "kubectl.kubernetes.io/default-container"
    assert template["metadata"]["annotations"][name] == "api"
    template = render(values_with({"sum": async_api(podAnnotations={name: "dequeuer"})})).get("Deployment", "api-sum")
    assert template["spec"]["template"]["metadata"]["annotations"][name] == "dequeuer"


@pytest.mark.parametrize(
    ("api", "grace_s"),
    [
        (async_api(), 55 + 5 + 5),
        (async_api(shutdownGrace=120.5, stopSeconds=10), 121 + 10 + 5),
        (async_api(shutdownGrace=0, stopSeconds=0), 5),
        (realtime_api(), 5 + 55 + 5 + 5),
        (realtime_api(shutdownDelay=20, shutdownGrace=600), 20 + 600 + 5 + 5),
    ],
)
def test_a_pod_may_take_as_long_as_its_drain_and_its_containers(api: dict[str, Any], grace_s: int) -> None:
    assert render(values_with({"sum": api})).pod("api-sum")["terminationGracePeriodSeconds"] == grace_s


def test_a_long_request_in_a_pod_with_a_short_grace_is_said() -> None:
    def notes(**fields: Any) -> str:
        return render(values_with({"sum": async_api(**fields)})).notes

    assert "A request may take 39600 s, and a pod that ends waits 55 s" in notes()
    assert "A request may take 60 s" in notes(requestTimeout=60)
    assert "A request may take" not in notes(requestTimeout=50)


def test_what_is_ours_has_no_privileges() -> None:
    release = rendered("full.yaml")
    own = [sidecar(pod) for _, pod, _ in api_pods()]
    own += [release.pod(f"demo-{program}")["containers"][0] for program in PROGRAMS]
    assert len(own) == 10
    for container in own:
        assert container["securityContext"] == RESTRICTED
        assert container["resources"]["limits"]["memory"]
    for program in PROGRAMS:
        assert release.pod(f"demo-{program}")["automountServiceAccountToken"] is False


def test_the_containers_of_the_user_are_restricted_unless_they_say_otherwise() -> None:
    pods = {name: pod for name, pod, _ in api_pods()}
    assert pods["api-text-generator"]["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for container in pods["api-text-generator"]["initContainers"]:
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert pods["api-embedder"]["securityContext"]["runAsNonRoot"] is False


def test_a_restart_does_not_wait_for_a_drain_that_nobody_has_begun() -> None:
    probe = {"httpGet": {"path": "/healthz", "port": 8080}}
    own = {**probe, "terminationGracePeriodSeconds": 3}
    for given, grace_s in ((probe, 10), (own, 3)):
        api = async_api(containers=[{"name": "api", "image": "a:1", "livenessProbe": given, "startupProbe": given}])
        hooked = containers(render(values_with({"sum": api | {"form": "prestop"}})).pod("api-sum"))["api"]
        assert hooked["livenessProbe"]["terminationGracePeriodSeconds"] == grace_s
        assert hooked["startupProbe"]["terminationGracePeriodSeconds"] == grace_s
        native = containers(render(values_with({"sum": api})).pod("api-sum"))["api"]
        assert (native["livenessProbe"], native["startupProbe"]) == (given, given)


def test_a_pod_that_is_not_ready_keeps_no_node_from_being_drained() -> None:
    budgets = rendered("full.yaml").of_kind("PodDisruptionBudget")
    assert {"api-text-generator", "demo-gateway", "demo-webhooks"} <= set(budgets)
    assert {found["spec"]["unhealthyPodEvictionPolicy"] for found in budgets.values()} == {"AlwaysAllow"}


def test_no_service_of_the_namespace_becomes_a_setting() -> None:
    for found in rendered("full.yaml").of_kind("Deployment").values():
        assert found["spec"]["template"]["spec"]["enableServiceLinks"] is False


def test_the_kubelet_asks_the_admin_port() -> None:
    for _, pod, _ in api_pods():
        own = sidecar(pod)
        assert own["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "metrics"}
        assert own["readinessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
        assert {"name": "metrics", "containerPort": 15000} in own["ports"]
        # It would hold back containers that readiness waits for.
        assert "startupProbe" not in own


def test_all_containers_of_a_pod_share_what_cortex_gave_them() -> None:
    release = rendered("full.yaml")
    for name, pod, _ in api_pods():
        volumes = {volume["name"] for volume in pod["volumes"]}
        for container in containers(pod).values():
            mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
            assert {mount["name"] for mount in mounts.values()} <= volumes
            assert {"/cortex/spec", "/mnt"} <= set(mounts), name
            if container["name"] in {"dequeuer", "proxy"}:
                continue
            assert mounts["/cortex/client/cli.yaml"]["subPath"] == "cli.yaml"
            given = environment(container)
            assert (given["CORTEX_VERSION"], given["CORTEX_CLI_CONFIG_DIR"]) == ("0.42.1", "/cortex/client")
            assert given["CORTEX_PORT"] == environment(sidecar(pod))["DEQUEUER_USER_PORT"]
    file = yaml.safe_load(release.get("ConfigMap", "demo-client-config")["data"]["cli.yaml"])
    assert file == {
        "default_environment": "default",
        "environments": [{"name": "default", "operator_endpoint": "http://demo-gateway.apis.svc:8888"}],
    }
    assert 8888 in {port["port"] for port in release.get("Service", "demo-gateway")["spec"]["ports"]}


def test_shm_is_memory_of_the_containers() -> None:
    pod = rendered("full.yaml").pod("api-text-generator")
    assert {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}} in pod["volumes"]
    for container in pod["initContainers"]:
        assert {"name": "shm", "mountPath": "/dev/shm"} in container["volumeMounts"]  # noqa: S108 - a path in a container
    assert "/dev/shm" not in {mount["mountPath"] for mount in sidecar(pod)["volumeMounts"]}  # noqa: S108


def test_chips_tolerations_and_the_runtime_class_arrive() -> None:
    pod = rendered("full.yaml").pod("api-text-generator")
    assert containers(pod)["api"]["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert pod["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert pod["nodeSelector"] == {"node.kubernetes.io/instance-type": "g5.xlarge"}
    assert (pod["runtimeClassName"], pod["priorityClassName"]) == ("nvidia", "apis")


def test_pods_are_spread_and_a_disruption_takes_a_part_of_them() -> None:
    release = rendered("full.yaml")
    deployment = release.get("Deployment", "api-text-generator")
    selector = deployment["spec"]["selector"]
    assert selector["matchLabels"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    constraints = deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert [constraint["labelSelector"] for constraint in constraints] == [selector, selector]
    budget = release.get("PodDisruptionBudget", "api-text-generator")["spec"]
    assert (budget["maxUnavailable"], budget["selector"]) == ("25%", selector)
    assert "topologySpreadConstraints" not in release.pod("api-embedder")


def test_a_pod_is_replaced_when_its_probes_change() -> None:
    def checksum(path: str) -> str:
        probe = {"httpGet": {"path": path, "port": 8080}}
        api = async_api(containers=[{"name": "api", "image": "x", "readinessProbe": probe}])
        metadata = render(values_with({"sum": api})).get("Deployment", "api-sum")["spec"]["template"]["metadata"]
        return str(metadata["annotations"]["dequeuer/spec-checksum"])

    assert checksum("/a") == checksum("/a") != checksum("/b")


def test_service_accounts_have_the_role_of_their_pods() -> None:
    release = rendered("full.yaml")
    account = release.get("ServiceAccount", "api-text-generator")
    assert account["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/apis"}
    for name, pod, _ in api_pods():
        assert pod["serviceAccountName"] in release.of_kind("ServiceAccount"), name


@pytest.mark.parametrize(
    ("account", "used", "made"),
    [
        ({}, "api-sum", ["api-sum"]),
        ({"name": "shared"}, "shared", ["shared"]),
        ({"create": False, "name": "shared"}, "shared", []),
        ({"create": False}, "default", []),
    ],
)
def test_the_service_account_may_be_one_that_is_there(account: dict[str, Any], used: str, made: list[str]) -> None:
    release = render(values_with({"sum": async_api(serviceAccount=account)}))
    assert release.pod("api-sum")["serviceAccountName"] == used
    assert list(release.of_kind("ServiceAccount")) == made


def test_the_admin_port_is_closed_to_all_but_those_who_read_metrics() -> None:
    release = rendered("full.yaml")
    monitoring = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    metrics = {"ports": [{"port": 15000, "protocol": "TCP"}], "from": monitoring}
    assert release.get("NetworkPolicy", "api-text-generator")["spec"]["ingress"] == [metrics]
    requests = {"ports": [{"port": 8888, "protocol": "TCP"}], "from": [{"podSelector": {}}]}
    assert release.get("NetworkPolicy", "api-answer-a")["spec"]["ingress"] == [requests, metrics]
    everyone = {"ports": [{"port": 8080, "protocol": "TCP"}]}
    assert release.get("NetworkPolicy", "demo-gateway")["spec"]["ingress"] == [everyone]
    page = {"ports": [{"port": 8090, "protocol": "TCP"}], "from": [{"podSelector": {}}]}
    assert release.get("NetworkPolicy", "demo-ui")["spec"]["ingress"] == [page]
    nobody = render(values_with({"sum": async_api(networkPolicy={"enabled": True})}))
    assert nobody.get("NetworkPolicy", "api-sum")["spec"]["ingress"] == []


def test_values_of_an_api_win_over_the_defaults_also_when_they_are_zero_or_empty() -> None:
    defaults = {"stopSeconds": 30, "tolerations": [{"operator": "Exists"}], "podDisruptionBudget": {"enabled": True}}
    api = async_api(stopSeconds=0, tolerations=[], podDisruptionBudget={"enabled": False})
    release = render(values_with({"sum": api}, defaults=defaults))
    assert release.pod("api-sum")["terminationGracePeriodSeconds"] == 60
    assert "tolerations" not in release.pod("api-sum")
    assert release.of_kind("PodDisruptionBudget") == {}


def test_a_pod_may_write_its_own_deletion_cost_and_nothing_else() -> None:
    release = rendered("full.yaml")
    for name in ("api-text-generator", "api-answer-a"):
        pod = release.pod(name)
        own = {variable["name"]: variable for variable in sidecar(pod)["env"]}
        assert own["DEQUEUER_POD_DELETION_COST"]["value"] == "true"
        assert own["DEQUEUER_POD_NAME"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
        assert pod["automountServiceAccountToken"] is True
        rules = release.get("Role", name)["rules"]
        assert rules == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["patch"]}]
        binding = release.get("RoleBinding", name)
        assert binding["roleRef"]["name"] == name
        assert [subject["name"] for subject in binding["subjects"]] == [pod["serviceAccountName"]]
    without = render(values_with({"sum": async_api()}))
    assert without.of_kind("Role") == {}
    assert "DEQUEUER_POD_DELETION_COST" not in environment(sidecar(without.pod("api-sum")))


def test_the_dequeuer_may_have_mounts_of_its_own() -> None:
    pod = rendered("full.yaml").pod("api-embedder")
    mount = {"name": "certificates", "mountPath": "/etc/certificates", "readOnly": True}
    assert mount in sidecar(pod)["volumeMounts"]
    assert mount not in containers(pod)["api"]["volumeMounts"]
    assert {"name": "certificates", "configMap": {"name": "certificates"}} in pod["volumes"]
