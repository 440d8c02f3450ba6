"""Queues of jobs, created and deleted with both sets of clients."""

from __future__ import annotations

import uuid

import pytest

from dequeuer.clients.choice import ClientName, connect
from dequeuer.settings import AwsSettings
from dequeuer.sources.base import Depth
from dequeuer.sources.sqs.management import QueueRefusedError, Queues
from tests.integration.cloud import KEYS, REGION, Cloud


@pytest.mark.parametrize("cloud", ["ministack", "moto"], indirect=True)
@pytest.mark.parametrize("client", ["slim", "sdk"])
async def test_a_queue_is_created_found_counted_purged_and_deleted(
    cloud: Cloud, client: ClientName, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    settings = AwsSettings(region=REGION, endpoint_url=cloud.url, endpoint_url_sqs=None, endpoint_url_s3=None)
    name = f"cx_{uuid.uuid4().hex[:8]}_b_sum_1.fifo"
    attributes = {"FifoQueue": "true", "VisibilityTimeout": "60", "MessageRetentionPeriod": "1209600"}
    opened = connect(settings, client, KEYS)
    async with opened.sqs(longest_wait_s=0) as sqs:
        queues = Queues(sqs, opened.translate)
        assert await queues.find(name) is None
        url = await queues.ensure(name, attributes, {"jobID": "1"})
        assert await queues.ensure(name, attributes, {"jobID": "1"}) == url
        assert await queues.ensure(name, attributes | {"VisibilityTimeout": "61"}, {}) == url
        assert await queues.find(name) == url
        stored = cloud.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert attributes.items() <= stored.items()
        assert cloud.sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"jobID": "1"}
        cloud.sqs.send_message(QueueUrl=url, MessageBody="[]", MessageGroupId="a", MessageDeduplicationId="a")
        assert await queues.depth(url) == Depth(visible=1, in_flight=0, delayed=0)
        await queues.purge(url)
        assert await queues.depth(url) == Depth(visible=0, in_flight=0, delayed=0)
        await queues.delete(url)
        await queues.delete(url)
        assert await queues.depth(url) is None
    await opened.close()


@pytest.mark.parametrize("cloud", ["moto"], indirect=True)
@pytest.mark.parametrize("client", ["slim", "sdk"])
async def test_a_dead_letter_queue_that_does_not_exist_is_told(
    cloud: Cloud, client: ClientName, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    settings = AwsSettings(region=REGION, endpoint_url=cloud.url, endpoint_url_sqs=None, endpoint_url_s3=None)
    policy = f'{{"deadLetterTargetArn":"arn:aws:sqs:{REGION}:123456789012:none.fifo","maxReceiveCount":"3"}}'
    opened = connect(settings, client, KEYS)
    async with opened.sqs(longest_wait_s=0) as sqs:
        with pytest.raises(QueueRefusedError):
            await Queues(sqs, opened.translate).ensure("q.fifo", {"FifoQueue": "true", "RedrivePolicy": policy}, {})
    await opened.close()
