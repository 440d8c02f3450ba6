from __future__ import annotations

from pathlib import Path

import pytest

from dequeuer.check.loading import load_plan
from dequeuer.check.plan import Plan
from dequeuer.core.errors import ConfigurationError

QUEUE = "https://sqs.us-west-2.amazonaws.com/111122223333"
BUCKET = {"DEQUEUER_BUCKET": "bucket", "DEQUEUER_CLUSTER_UID": "uid"}
SIDECAR = {"DEQUEUER_API_NAME": "api", "DEQUEUER_QUEUE_URL": f"{QUEUE}/q", "DEQUEUER_PROBES_PATH": "/none"}
ASYNC = {"DEQUEUER_API_KIND": "async", **SIDECAR, **BUCKET}
BATCH = {"DEQUEUER_API_KIND": "batch", "DEQUEUER_JOB_ID": "job-1", **SIDECAR}


def cases(plan: Plan) -> set[str]:
    assert plan.policies is not None
    return set(plan.policies.cases)


def test_of_an_async_api_queue_bucket_container_and_pod_are_checked() -> None:
    plan = load_plan("sidecar", [], ASYNC)
    [queue], [bucket] = plan.queues, plan.buckets
    assert (queue.use, queue.max_attempts, queue.keeps_s, queue.objects_days) == ("async", 5, 5 * 39_600, 7)
    assert (bucket.below, bucket.rule_prefix, bucket.rule_days) == ("uid/workloads/api/", "uid/workloads/", 7)
    assert cases(plan) == {"own_key", "redrive", "expiry"}
    assert plan.container is not None
    assert [probe.name for probe in plan.container.probes] == ["user_port:tcp_socket"]
    assert plan.pod.grace_s == 60


def test_without_a_retention_there_is_no_rule() -> None:
    plan = load_plan("sidecar", [], ASYNC | {"DEQUEUER_RESULT_RETENTION_DAYS": "0"})
    assert (plan.queues[0].objects_days, plan.buckets[0].rule_prefix) == (0, "")
    assert "expiry" not in cases(plan)


@pytest.mark.parametrize(
    ("target", "case"),
    [
        (f"{QUEUE}/events", "events_queue"),
        ("arn:aws:sns:us-west-2:111122223333:topic", "events_topic"),
        ("arn:aws:events:us-west-2:111122223333:event-bus/bus", "events_bus"),
    ],
)
def test_where_ends_are_sent_is_part_of_the_plan(target: str, case: str) -> None:
    more = {"DEQUEUER_WEBHOOK_QUEUE": f"{QUEUE}/hooks", "DEQUEUER_EVENTS_TARGET": target}
    plan = load_plan("sidecar", [], ASYNC | more)
    assert {"webhooks", case} <= cases(plan)
    sent = {queue.name: queue.placeholder for queue in plan.queues if queue.use == "ends"}
    assert sent == {"hooks": "webhooks"} | ({"events": "events"} if case == "events_queue" else {})


def test_each_of_several_queues_is_checked() -> None:
    given = dict(ASYNC)
    del given["DEQUEUER_QUEUE_URL"]
    plan = load_plan("sidecar", [], given | {"DEQUEUER_QUEUE_URLS": f"{QUEUE}/a 3,{QUEUE}/b 1"})
    assert [queue.name for queue in plan.queues] == ["a", "b"]


def test_a_batch_job_has_a_bucket_only_with_results_or_a_controller() -> None:
    assert load_plan("sidecar", [], BATCH).buckets == []
    more = BUCKET | {"DEQUEUER_WORKER_ID": "w", "DEQUEUER_OUTPUT": "s3://other/results"}
    plan = load_plan("sidecar", [], BATCH | more)
    own, output = plan.buckets
    assert own.below.endswith("/job-1/failures/")
    assert (output.name, output.placeholder, output.below, output.is_own) == (
        "other",
        "output",
        "results/job-1/results/",
        False,
    )
    assert {"job_objects", "results"} <= cases(plan)


def test_of_any_queue_the_buckets_of_results_and_payloads_are_checked() -> None:
    more = {
        "DEQUEUER_API_KIND": "queue",
        "DEQUEUER_QUEUE_RESULTS": "s3://results/r/",
        "DEQUEUER_QUEUE_PAYLOAD_BUCKETS": "payloads-1,payloads-2",
        "DEQUEUER_QUEUE_DELETE_PAYLOADS": "true",
    }
    plan = load_plan("sidecar", [], SIDECAR | more)
    assert [(one.name, one.placeholder) for one in plan.buckets] == [
        ("results", "bucket"),
        ("payloads-1", "payloads"),
        ("payloads-2", "payloads"),
    ]
    assert {"results", "payloads", "payload_deletion"} <= cases(plan)


def test_the_proxy_needs_no_aws_and_time_for_delay_and_grace() -> None:
    given = {"DEQUEUER_MAX_CONCURRENCY": "8", "DEQUEUER_MAX_QUEUE_LENGTH": "100", "DEQUEUER_PROBES_PATH": "/none"}
    plan = load_plan("proxy", [], given)
    assert (plan.aws, plan.queues, plan.buckets, plan.policies) == (None, (), (), None)
    assert plan.pod.grace_s == 5 + 50 + 5
    assert set(plan.pod.ports.values()) == {8000, 15000}


def test_of_the_gateway_every_queue_and_the_files_are_checked(tmp_path: Path) -> None:
    queues = {
        "DEQUEUER_QUEUES": f"a={QUEUE}/a,b={QUEUE}/b",
        "DEQUEUER_PRIORITY_QUEUES": f"a/high={QUEUE}/a-high",
        "DEQUEUER_INLINE_BYTES": "64KiB",
    }
    plan = load_plan("gateway", ["--port", "8081"], BUCKET | queues)
    assert {queue.name for queue in plan.queues} == {"a", "b", "a-high"}
    assert {queue.message_bytes for queue in plan.queues} == {64 * 1024 * 4 // 3 + 16 * 1024}
    assert {one.what: (one.count, one.is_refused) for one in plan.files} == {
        "apis": (None, False),
        "tokens": (None, False),
    }
    assert plan.pod.ports["DEQUEUER_GATEWAY_PORT"] == 8081
    assert "jobs" not in cases(plan)


def test_the_files_of_the_gateway_are_counted(tmp_path: Path) -> None:
    tokens, apis = tmp_path / "tokens.yaml", tmp_path / "cortex.yaml"
    tokens.write_text(f"- name: me\n  sha256: {'0a' * 32}\n  apis: ['*']\n  may: [submit]\n")
    apis.write_text("- name: a\n  kind: AsyncAPI\n  pod:\n    containers:\n      - name: api\n        image: i\n")
    given = {"DEQUEUER_QUEUES": f"a={QUEUE}/a", "DEQUEUER_TOKENS": str(tokens), "DEQUEUER_APIS": str(apis)}
    plan = load_plan("gateway", [], BUCKET | given)
    assert {one.what: one.count for one in plan.files} == {"apis": 1, "tokens": 1}
    assert "jobs" in cases(plan)


def test_of_webhooks_the_queue_must_keep_them_for_as_long_as_they_are_tried(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz\n")
    given = {"DEQUEUER_WEBHOOK_QUEUE": f"{QUEUE}/hooks", "DEQUEUER_WEBHOOK_KEYS": str(keys)}
    plan = load_plan("webhooks", [], BUCKET | given)
    assert (plan.queues[0].use, plan.queues[0].keeps_s) == ("webhooks", 259_200)
    assert [one.count for one in plan.files] == [1]


def test_enqueuer_and_controller_have_their_prefixes(tmp_path: Path) -> None:
    apis = tmp_path / "cortex.yaml"
    apis.write_text("- name: a\n  kind: AsyncAPI\n  pod:\n    containers:\n      - name: api\n        image: i\n")
    job = {"DEQUEUER_API_NAME": "api", "DEQUEUER_JOB_ID": "job-1", "DEQUEUER_QUEUE_URL": f"{QUEUE}/q"}
    assert load_plan("enqueuer", [], BUCKET | job).buckets[0].below.endswith("/api/job-1/")
    plan = load_plan("controller", [], BUCKET | {"DEQUEUER_APIS": str(apis)})
    assert (plan.buckets[0].below, plan.queues) == ("uid/jobs/", ())


def test_every_fault_of_settings_and_files_is_raised_at_once(tmp_path: Path) -> None:
    probes = tmp_path / "probes.json"
    probes.write_text('{"api": {"httpGet": {"port": 0}}}')
    given = ASYNC | {"DEQUEUER_WORKERS": "0", "DEQUEUER_PROBES_PATH": str(probes)}
    with pytest.raises(ConfigurationError) as raised:
        load_plan("sidecar", [], given)
    assert len(raised.value.faults) == 2
