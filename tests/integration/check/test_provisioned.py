"""What `dequeuer provision` creates is as `dequeuer check` wants it, for each program that uses it."""

from __future__ import annotations

import subprocess
import sys
import uuid

import pytest

from tests.integration.check.setup import SetUp
from tests.integration.cloud import CLUSTER
from tests.integration.sidecar import ROOT


def provisioned(setup: SetUp) -> dict[str, str]:
    """Create queue, dead-letter queue, queue of webhooks and bucket; return the variables that are to be set."""
    name = f"p-{uuid.uuid4().hex[:12]}"
    api = ["--api-kind", "async", "--api-name", "api", "--cluster-uid", CLUSTER, "--queue", name, "--bucket", name]
    wanted = ("PATH", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    done = subprocess.run(
        [sys.executable, "-m", "dequeuer", "provision", *api, "--webhook-queue", f"{name}-hooks"],
        env={variable: setup.environ[variable] for variable in wanted} | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    printed = [line.partition("=") for line in done.stdout.splitlines() if line.startswith("DEQUEUER_")]
    # The server writes its own address into the URLs of its queues.
    return {variable: value.replace(setup.cloud.url, setup.front.url) for variable, _, value in printed}


@pytest.mark.parametrize("program", ["sidecar", "gateway", "webhooks"])
def test_nothing_is_wrong_with_what_was_provisioned(setup: SetUp, program: str) -> None:
    setup.program(program)
    given = provisioned(setup)
    assert {"DEQUEUER_QUEUE_URL", "DEQUEUER_BUCKET", "DEQUEUER_WEBHOOK_QUEUE"} <= given.keys()
    if program == "gateway":
        setup.environ["DEQUEUER_QUEUES"] = f"api={given['DEQUEUER_QUEUE_URL']}"
    setup.environ |= given
    found = setup.run(program)
    assert [one for one in found if one.verdict.state in {"warning", "fault"}] == []
    if program != "webhooks":
        [rule] = [one.verdict for one in found if one.id == "bucket.lifecycle"]
        assert rule.found.startswith("async-workloads-expiry-policy, 7 days")
