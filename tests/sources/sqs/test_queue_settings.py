from __future__ import annotations

from typing import Any

import pytest

from dequeuer.core.errors import SourceDeniedError, SourceGoneError, SourceUnavailableError
from dequeuer.sources.sqs.errors import SqsResponseError, translate
from dequeuer.sources.sqs.queue_settings import QueueSettings

URL = "https://sqs/q"


class FakeSqs:
    """`QueueSetUp` of one queue."""

    def __init__(self, error: Exception | None = None) -> None:
        self.held: dict[str, Any] = {"VisibilityTimeout": "30", "Strange": 1}
        self.tags: dict[str, str] = {}
        self._error = error

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    async def get_queue_attributes(self, **request: Any) -> Any:
        self._check()
        assert request == {"QueueUrl": URL, "AttributeNames": ["All"]}
        return {"Attributes": dict(self.held)}

    async def set_queue_attributes(self, **request: Any) -> Any:
        self._check()
        self.held.update(request["Attributes"])
        return {}

    async def list_queue_tags(self, **request: Any) -> Any:
        self._check()
        return {"Tags": dict(self.tags)} if self.tags else {}

    async def tag_queue(self, **request: Any) -> Any:
        self._check()
        self.tags.update(request["Tags"])
        return {}


async def test_attributes_are_read_and_replaced_one_by_one() -> None:
    settings = QueueSettings(FakeSqs(), translate)
    assert await settings.attributes(URL) == {"VisibilityTimeout": "30"}
    await settings.set_attributes(URL, {"MessageRetentionPeriod": "60"})
    assert await settings.attributes(URL) == {"VisibilityTimeout": "30", "MessageRetentionPeriod": "60"}


async def test_tags_are_added_and_a_queue_without_any_has_none() -> None:
    settings = QueueSettings(FakeSqs(), translate)
    assert await settings.tags(URL) == {}
    await settings.tag(URL, {"a": "1"})
    await settings.tag(URL, {"b": "2"})
    assert await settings.tags(URL) == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (403, "AccessDenied", SourceDeniedError),
        (400, "InvalidParameterValue", SourceDeniedError),
        (400, "InvalidAttributeValue", SourceDeniedError),
        (400, "AWS.SimpleQueueService.NonExistentQueue", SourceGoneError),
        (503, "ServiceUnavailable", SourceUnavailableError),
        (400, "ThrottlingException", SourceUnavailableError),
    ],
)
async def test_errors_say_whether_a_later_call_can_help(status: int, code: str, error: type[Exception]) -> None:
    settings = QueueSettings(FakeSqs(SqsResponseError(status, code, "says the test")), translate)
    with pytest.raises(error):
        await settings.set_attributes(URL, {"VisibilityTimeout": "1"})
    with pytest.raises(error):
        await settings.tags(URL)
