"""In a healthy set-up nothing is found, nothing is changed, and no message is received."""

from __future__ import annotations

import pytest

from dequeuer.check.report import document, table
from tests.integration.check.setup import SetUp

ASKED_OF_NOBODY = {
    "permission.sqs.receive_message",
    "permission.sqs.send_message",
    "permission.sqs.create_queue",
    "permission.sqs.tag_queue",
    "permission.sqs.purge_queue",
    "permission.sqs.delete_queue",
    "permission.s3.put_lifecycle_configuration",
}
"""Actions that cannot be tried without an effect."""
OF_A_POD = {"kubernetes.version", "pod.order"}
ONLY_WITH_WRITES = {"permission.s3.put_object", "permission.s3.delete_object"}


@pytest.mark.parametrize(
    "program", ["sidecar", "batch", "queue", "proxy", "gateway", "webhooks", "enqueue", "controller"]
)
def test_nothing_is_found(setup: SetUp, program: str) -> None:
    if program == "webhooks":
        # Its queue has no redrive policy, and keeps messages for longer than a webhook is tried.
        setup.set_attributes(setup.queue, RedrivePolicy="")
    if program == "controller":
        setup.flags = []
    setup.program(program)
    setup.queue.send("a message of somebody")
    found = setup.run("sidecar" if program in {"batch", "queue"} else program)
    assert [one for one in found if one.verdict.state in {"warning", "fault"}] == []
    unknown = {str(one.id) for one in found if one.verdict.state == "not_known"}
    of_job_queues = {"permission.sqs.get_queue_attributes", "permission.sqs.delete_message"}
    of_job_queues |= {"permission.sqs.change_message_visibility"}
    allowed = ASKED_OF_NOBODY | OF_A_POD | ONLY_WITH_WRITES | (of_job_queues if program == "controller" else set())
    assert unknown <= allowed
    assert setup.front.received == 0
    # The abort of an upload that nobody has begun.
    assert [one for one in setup.front.changes if "uploadId=dequeuer-check-no-such-upload" not in one] == []
    assert setup.queue.take() == ("a message of somebody", 1)


def test_with_writes_the_permissions_of_the_store_are_known_and_nothing_stays(setup: SetUp) -> None:
    setup.flags.append("--write")
    found = {str(one.id): one.verdict.state for one in setup.run()}
    assert {found[one] for one in ONLY_WITH_WRITES} == {"ok"}
    assert setup.bucket.s3.list_objects_v2(Bucket=setup.bucket.name).get("KeyCount") == 0
    assert setup.bucket.s3.list_multipart_uploads(Bucket=setup.bucket.name).get("Uploads", []) == []
    assert setup.front.received == 0


def test_in_a_bucket_with_versions_no_delete_marker_is_left(setup: SetUp) -> None:
    setup.bucket.s3.put_bucket_versioning(Bucket=setup.bucket.name, VersioningConfiguration={"Status": "Enabled"})
    setup.flags.append("--write")
    found = {str(one.id): one.verdict.state for one in setup.run()}
    assert found["permission.s3.delete_object"] == "not_known"
    versions = setup.bucket.s3.list_object_versions(Bucket=setup.bucket.name)
    assert (versions.get("Versions", []), versions.get("DeleteMarkers", [])) == ([], [])


def test_the_rule_that_the_sidecar_writes_is_the_one_that_is_looked_for(setup: SetUp) -> None:
    rule = {
        "ID": "async-workloads-expiry-policy",
        "Status": "Enabled",
        "Filter": {"Prefix": "cluster-uid/workloads/"},
        "Expiration": {"Days": 7},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }
    setup.bucket.s3.put_bucket_lifecycle_configuration(
        Bucket=setup.bucket.name, LifecycleConfiguration={"Rules": [rule]}
    )
    found = {str(one.id): one.verdict for one in setup.run()}
    assert found["bucket.lifecycle"].state == "ok"
    assert "not needed now" in found["permission.s3.put_lifecycle_configuration"].found


def test_who_the_caller_is_is_told_and_no_secret_is(setup: SetUp) -> None:
    setup.environ |= {
        "AWS_ACCESS_KEY_ID": "ASIAVERYLONGKEY",
        "AWS_SECRET_ACCESS_KEY": "hidden",
        "AWS_SESSION_TOKEN": "concealed",
    }
    found = setup.run()
    texts = {str(one.id): one.verdict.found for one in found}
    assert texts["identity.caller"] == "arn:aws:sts::000000000000:assumed-role/api/pod"
    assert texts["identity.credentials"] == "environment, key ASIA..., without a known end"
    whole = document("sidecar", found) + table(found)
    assert not [secret for secret in ("ASIAVERY", "hidden", "concealed") if secret in whole]
