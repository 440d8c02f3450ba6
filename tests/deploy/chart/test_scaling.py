"""How many pods there are: KEDA and HorizontalPodAutoscalers."""

from typing import Any

import pytest
import yaml

from tests.deploy.chart.rendering import (
    ROOT,
    async_api,
    environment,
    realtime_api,
    render,
    rendered,
    sidecar,
    values_with,
)


def behavior_of(scaling: dict[str, Any]) -> dict[str, Any]:
    release = render(values_with({"sum": async_api(autoscaling=scaling)}))
    if scaling["type"] == "keda":
        advanced = release.get("ScaledObject", "api-sum")["spec"]["advanced"]
        found: dict[str, Any] = advanced["horizontalPodAutoscalerConfig"]["behavior"]
    else:
        found = release.get("HorizontalPodAutoscaler", "api-sum")["spec"]["behavior"]
    return found


def test_a_queue_brings_pods_and_takes_them_all_away() -> None:
    spec = rendered("full.yaml").get("ScaledObject", "api-text-generator")["spec"]
    assert spec["scaleTargetRef"] == {"name": "api-text-generator"}
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (0, 8)
    assert spec["fallback"] == {"failureThreshold": 3, "replicas": 2}
    assert spec["triggers"] == [
        {
            "type": "aws-sqs-queue",
            "metadata": {
                "queueURL": "https://sqs.eu-west-1.amazonaws.com/111122223333/text-generator.fifo",
                "queueLength": "4",
                "scaleOnInFlight": "true",
                "awsRegion": "eu-west-1",
            },
            "metricType": "AverageValue",
            "authenticationRef": {"name": "demo-aws"},
        }
    ]
    authentication = rendered("full.yaml").get("TriggerAuthentication", "demo-aws")["spec"]
    assert authentication == {"podIdentity": {"provider": "aws", "identityOwner": "keda"}}


def test_without_a_target_it_is_the_concurrency() -> None:
    release = render(values_with({"sum": async_api(concurrency=7, autoscaling={"type": "keda"})}))
    [trigger] = release.get("ScaledObject", "api-sum")["spec"]["triggers"]
    assert trigger["metadata"]["queueLength"] == "7"


def test_the_requests_in_flight_of_a_realtime_api_are_averaged_as_in_cortex() -> None:
    [trigger] = rendered("full.yaml").get("ScaledObject", "api-answer-a")["spec"]["triggers"]
    assert trigger["metadata"]["query"] == (
        'sum(sum_over_time(cortex_in_flight_requests{api_name="answer-a"}[60s]))'
        ' / max(count_over_time(cortex_in_flight_requests{api_name="answer-a"}[60s]))'
    )
    assert (trigger["metadata"]["threshold"], trigger["metadata"]["ignoreNullValues"]) == ("8", "false")
    [endpoint] = rendered("full.yaml").get("PodMonitor", "api-answer-a")["spec"]["podMetricsEndpoints"]
    assert endpoint["relabelings"][0] == {
        "action": "replace",
        "sourceLabels": ["__meta_kubernetes_pod_label_apiName"],
        "targetLabel": "api_name",
    }


@pytest.mark.parametrize(
    ("fields", "down_percent", "up_percent"),
    [
        ({}, 25, 100),
        ({"maxDownscaleFactor": 0.9, "maxUpscaleFactor": 1.1}, 10, 10),
        ({"maxUpscaleFactor": 1.5}, 25, 50),
        ({"maxDownscaleFactor": 0, "maxUpscaleFactor": 10}, 100, 900),
        ({"maxDownscaleFactor": 0.999, "maxUpscaleFactor": 1.001}, 1, 1),
    ],
)
@pytest.mark.parametrize("kind", ["keda", "hpa"])
def test_one_step_is_as_large_as_the_factors_say(
    kind: str, fields: dict[str, Any], down_percent: int, up_percent: int
) -> None:
    behavior = behavior_of({"type": kind, "metricName": "x", **fields})

    def rules(window_s: int, percent: int, pods: int) -> dict[str, Any]:
        return {
            "stabilizationWindowSeconds": window_s,
            "selectPolicy": "Max",
            "policies": [
                {"type": "Percent", "value": percent, "periodSeconds": 15},
                {"type": "Pods", "value": pods, "periodSeconds": 15},
            ],
        }

    assert behavior == {"scaleDown": rules(300, down_percent, 1), "scaleUp": rules(0, up_percent, 4)}


def test_the_pace_of_cortex_can_be_had() -> None:
    pace = {"upscaleStabilization": 60, "upscalePeriod": 60, "downscalePeriod": 300, "upscalePods": 1}
    behavior = behavior_of({"type": "keda", **pace})
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 60
    assert [policy["periodSeconds"] for policy in behavior["scaleUp"]["policies"]] == [60, 60]
    assert [policy["periodSeconds"] for policy in behavior["scaleDown"]["policies"]] == [300, 300]
    assert behavior["scaleUp"]["policies"][1]["value"] == 1


def test_the_defaults_are_those_that_the_page_of_scaling_chose() -> None:
    page = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    section = page.partition("## The defaults of the chart\n")[2]
    chosen = yaml.safe_load(section.partition("```yaml\n")[2].partition("```")[0])
    spec = render(values_with({"sum": async_api(autoscaling={"type": "keda"})})).get("ScaledObject", "api-sum")["spec"]
    assert chosen == {
        "pollingInterval": spec["pollingInterval"],
        "cooldownPeriod": spec["cooldownPeriod"],
        "behavior": spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"],
    }


def test_tolerances_are_set_only_when_they_are_given() -> None:
    spec = rendered("full.yaml").get("ScaledObject", "api-text-generator")["spec"]
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert (behavior["scaleDown"]["tolerance"], behavior["scaleUp"]["tolerance"]) == (0.05, 0.05)


def test_without_keda_an_external_metric_decides() -> None:
    spec = rendered("full.yaml").get("HorizontalPodAutoscaler", "api-embedder")["spec"]
    assert spec["scaleTargetRef"]["name"] == "api-embedder"
    assert spec["metrics"] == [
        {
            "type": "External",
            "external": {
                "metric": {"name": "sqs_messages", "selector": {"matchLabels": {"queue": "embedder"}}},
                "target": {"type": "AverageValue", "averageValue": "1"},
            },
        }
    ]


@pytest.mark.parametrize(("kind", "written"), [("keda", False), ("hpa", False), ("none", True)])
def test_an_upgrade_does_not_undo_what_the_autoscaler_did(kind: str, written: bool) -> None:
    scaling = {"type": kind, "minReplicas": 2, "metricName": "x"}
    release = render(values_with({"sum": realtime_api(autoscaling=scaling)}))
    spec = release.get("Deployment", "api-sum")["spec"]
    assert spec.get("replicas") == (2 if written else None)


@pytest.mark.parametrize(
    ("identity", "used", "made"),
    [
        ({"name": "mine"}, {"name": "mine"}, []),
        ({"create": False}, None, []),
        ({"identityOwner": "workload"}, {"name": "demo-aws"}, ["demo-aws"]),
    ],
)
def test_keda_may_use_another_identity(identity: dict[str, Any], used: dict[str, str] | None, made: list[str]) -> None:
    values = values_with({"sum": async_api(autoscaling={"type": "keda"})}, keda={"podIdentity": identity})
    release = render(values)
    [trigger] = release.get("ScaledObject", "api-sum")["spec"]["triggers"]
    assert trigger.get("authenticationRef") == used
    assert list(release.of_kind("TriggerAuthentication")) == made


def test_long_work_gets_a_job_for_each_message() -> None:
    release = rendered("full.yaml")
    spec = release.get("ScaledJob", "api-trainer")["spec"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (0, 20)
    [trigger] = spec["triggers"]
    assert (trigger["metadata"]["queueLength"], trigger["metadata"]["scaleOnInFlight"]) == ("1", "true")
    assert spec["scalingStrategy"] == {"strategy": "default"}
    assert spec["rollout"] == {"strategy": "gradual"}, "a change of the API would end Jobs that run"
    pod = spec["jobTargetRef"]["template"]["spec"]
    given = environment(sidecar(pod))
    assert (given["DEQUEUER_MAX_MESSAGES"], given["DEQUEUER_EXIT_WHEN_IDLE"]) == ("1", "60")
    assert pod["restartPolicy"] == "Never"
    assert "DEQUEUER_POD_DELETION_COST" not in given
    for kind in ("Deployment", "PodDisruptionBudget", "ScaledObject"):
        assert "api-trainer" not in release.of_kind(kind)


@pytest.mark.parametrize(("concurrency", "messages", "target"), [(4, 1, "1"), (4, 6, "4"), (4, 3, "3"), (1, 5, "1")])
def test_a_scaled_job_starts_as_many_jobs_as_end_all_messages_at_once(
    concurrency: int, messages: int, target: str
) -> None:
    job = {"workload": "ScaledJob", "scaledJob": {"maxMessages": messages}, "concurrency": concurrency}

    def trigger(**more: Any) -> str:
        release = render(values_with({"sum": async_api(**job, autoscaling={"type": "keda", **more})}))
        [found] = release.get("ScaledJob", "api-sum")["spec"]["triggers"]
        length: str = found["metadata"]["queueLength"]
        return length

    assert trigger() == target
    assert trigger(targetInFlight=9) == "9"


def test_one_service_account_can_be_that_of_several_apis() -> None:
    shared = {"name": "shared", "create": False}
    apis = {"a": async_api(serviceAccount={"name": "shared"}), "b": realtime_api(serviceAccount=shared)}
    release = render(values_with(apis))
    assert list(release.of_kind("ServiceAccount")) == ["shared"]
    assert {release.pod(name)["serviceAccountName"] for name in ("api-a", "api-b")} == {"shared"}
