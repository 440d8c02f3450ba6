from __future__ import annotations

from collections.abc import Mapping

import pytest

from dequeuer.core.errors import ConfigurationError
from dequeuer.settings.provision import ProvisionSettings
from dequeuer.settings.provision_loading import load_provision
from tests.settings.environments import ASYNC

QUEUE = {
    "AWS_REGION": "us-west-2",
    "DEQUEUER_API_KIND": "queue",
    "DEQUEUER_API_NAME": "up",
    "DEQUEUER_QUEUE_URL": "uploads",
}
BATCH = {
    "AWS_REGION": "us-west-2",
    "DEQUEUER_API_KIND": "batch",
    "DEQUEUER_API_NAME": "sum",
    "DEQUEUER_CLUSTER_UID": "cluster-1",
    "DEQUEUER_BUCKET": "my-bucket",
}


def load(environ: Mapping[str, str], *flags: str) -> ProvisionSettings:
    return load_provision(flags, environ)


def faults(environ: Mapping[str, str], *flags: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        load(environ, *flags)
    return caught.value.faults


def test_requests_may_wait_in_the_queue_for_as_long_as_the_bucket_keeps_them() -> None:
    assert load(ASYNC, "--retention", str(7 * 86_400)).retention_s == 7 * 86_400
    assert faults(ASYNC, "--retention", str(7 * 86_400 + 1))


def test_the_environment_of_a_sidecar_names_everything() -> None:
    settings = load(ASYNC)
    assert (settings.queue_name, settings.bucket_name, settings.cluster_uid) == ("my-queue", "my-bucket", "cluster-1")
    assert settings.aws.region == "us-west-2"
    assert settings.dead_letter_name == "my-queue-dead-letters"
    assert not settings.is_dry_run
    assert not settings.may_change


@pytest.mark.parametrize(
    ("flags", "queue", "dead_letters"),
    [
        (["--queue", "work"], "work", "work-dead-letters"),
        (["--queue", "work.fifo"], "work.fifo", "work-dead-letters.fifo"),
        (["--queue", "work", "--fifo"], "work.fifo", "work-dead-letters.fifo"),
        (["--queue", "work.fifo", "--fifo"], "work.fifo", "work-dead-letters.fifo"),
        (["--queue", "work", "--dead-letters", "none"], "work", ""),
        (["--queue", "work", "--dead-letters", "lost"], "work", "lost"),
    ],
)
def test_the_names_of_queues(flags: list[str], queue: str, dead_letters: str) -> None:
    settings = load(ASYNC | {"AWS_REGION": "us-west-2"}, *flags)
    assert (settings.queue_name, settings.dead_letter_name) == (queue, dead_letters)


def test_a_batch_api_has_a_dead_letter_queue_for_its_fifo_queues_and_no_queue() -> None:
    settings = load(BATCH)
    assert (settings.queue_name, settings.dead_letter_name) == ("", "cluster-1-dead-letters.fifo")


def test_the_bucket_of_any_queue_is_that_of_its_results() -> None:
    assert load(QUEUE).bucket_name == ""
    assert load({**QUEUE, "DEQUEUER_QUEUE_RESULTS": "s3://results/up/"}).bucket_name == "results"


def test_everything_that_is_missing_is_listed_at_once() -> None:
    assert [fault.partition(" ")[0].rstrip(":") for fault in faults({})] == [
        "DEQUEUER_API_KIND",
        "DEQUEUER_API_NAME",
        "AWS_REGION",
    ]
    found = faults({"DEQUEUER_API_KIND": "async", "DEQUEUER_API_NAME": "text", "AWS_REGION": "us-west-2"})
    assert [fault.partition(" ")[0].rstrip(":") for fault in found] == [
        "DEQUEUER_QUEUE_URL",
        "DEQUEUER_BUCKET",
        "DEQUEUER_CLUSTER_UID",
    ]


@pytest.mark.parametrize(
    ("environ", "flags", "part"),
    [
        (BATCH, ["--queue", "work"], "is for async and queue, and DEQUEUER_API_KIND (or --api-kind) is batch"),
        (QUEUE, ["--bucket", "mine"], "is for async and batch"),
        (QUEUE, ["--webhook-queue", "hooks"], "is for async"),
        (ASYNC, ["--file-buckets", "files"], "is for batch"),
        (ASYNC, ["--queue", "two words"], "is not allowed"),
        (ASYNC, ["--queue", "https://sqs.us-west-2.amazonaws.com/123456789012/a.b"], "its name is not one of SQS"),
        (ASYNC, ["--queue", "x" * 80], "SQS allows no queue of the name"),
        (ASYNC, ["--queue", "x" * 78, "--fifo", "--dead-letters", "none"], "is longer than 80"),
        (ASYNC, ["--queue", "work.fifo", "--dead-letters", "lost"], "the dead-letter queue of a FIFO queue is one"),
        (ASYNC, ["--queue", "work", "--dead-letters", "lost.fifo"], "the dead-letter queue of a standard queue"),
        (ASYNC, ["--queue", "work", "--dead-letters", "work"], "is another queue of these settings"),
        (ASYNC, ["--webhook-queue", "hooks.fifo"], "is a FIFO queue"),
        (ASYNC, ["--webhook-queue", "my-queue"], "is the queue of the API, too"),
        (ASYNC, ["--queue", "https://sqs.us-east-1.amazonaws.com/123456789012/work"], "is in us-east-1, and all is"),
        (ASYNC, ["--webhook-queue", "https://sqs.eu-west-1.amazonaws.com/123456789012/hooks"], "is in eu-west-1, and"),
        ({**ASYNC, "DEQUEUER_MAX_ATTEMPTS": "10"}, ["--max-receives", "10"], "DEQUEUER_MAX_ATTEMPTS is 10: requests"),
        (ASYNC, ["--max-receives", "5"], "allowed: best 10 or more"),
        (ASYNC, ["--max-receives", "2"], "is not allowed"),
        (ASYNC, ["--retention", "1209600"], "still wait in the queue"),
        (ASYNC, ["--bucket", "mine--usw2-az1--x-s3"], "which is not created here"),
        (ASYNC, ["--tags", "a=1,a=2"], "a name is there twice"),
        (ASYNC, ["--tags", "aws:x=1"], "belong to AWS"),
        (ASYNC, ["--format", "terraform", "--dry-run"], "is for the format plan"),
        (ASYNC, ["--format", "terraform", "--change"], "is for the format plan"),
        ({**BATCH, "DEQUEUER_CLUSTER_UID": "a.b"}, [], "SQS allows no queue of the name a.b-dead-letters.fifo"),
    ],
)
def test_what_does_not_fit_is_refused(environ: dict[str, str], flags: list[str], part: str) -> None:
    [fault] = faults({"AWS_REGION": "us-west-2", **environ}, *flags)
    assert part in fault


def test_only_the_dead_letters_of_async_apis_are_compared_with_the_attempts_of_the_sidecar() -> None:
    attempts = {"DEQUEUER_MAX_ATTEMPTS": "10"}
    assert load(ASYNC | attempts, "--max-receives", "11").receives == 11
    assert load(ASYNC | attempts, "--max-receives", "5", "--dead-letters", "none").receives == 5
    assert load(QUEUE | attempts, "--max-receives", "5").receives == 5


@pytest.mark.parametrize(("attempts", "receives"), [("1", 6), ("5", 10), ("20", 25), ("999", 1000)])
def test_messages_move_later_than_the_sidecar_fails_them(attempts: str, receives: int) -> None:
    assert load(ASYNC | {"DEQUEUER_MAX_ATTEMPTS": attempts}).receives == receives


def test_text_needs_no_region() -> None:
    settings = load({**ASYNC, "DEQUEUER_QUEUE_URL": "work"}, "--format", "terraform")
    assert settings.aws.region is None


def test_tags_are_names_with_values() -> None:
    assert load(ASYNC, "--tags", "team=ml,cost centre=4711").tags == {"team": "ml", "cost centre": "4711"}
