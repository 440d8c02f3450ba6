"""What SQS says about a queue and its dead-letter queue. No message is received or sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from dequeuer.check.aws_access import AwsAccess
from dequeuer.core.errors import DequeuerError
from dequeuer.sources.sqs.operations import number

ALL = ("All",)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedrivePolicy:
    """When SQS moves messages, and where to.

    Attributes:
        max_receives: receives of a message before it is moved; None: not readable.
        target_arn: of the dead-letter queue.
    """

    max_receives: int | None
    target_arn: str

    @property
    def target_name(self) -> str:
        """The name of the dead-letter queue."""
        return self.target_arn.rpartition(":")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFacts:
    """The attributes of a queue, as SQS names them."""

    attributes: Mapping[str, str]

    def number(self, name: str) -> int | None:
        """Return an attribute that is a whole number; None when it is missing, or not one."""
        return number(self.attributes.get(name))

    @property
    def is_fifo(self) -> bool:
        """Whether it is a FIFO queue."""
        return self.attributes.get("FifoQueue") == "true"

    @property
    def arn(self) -> str:
        """The ARN."""
        return self.attributes.get("QueueArn", "")

    @property
    def redrive(self) -> RedrivePolicy | None:
        """The redrive policy; None: there is none."""
        text = self.attributes.get("RedrivePolicy")
        if not text:
            return None
        policy = json_object(text)
        target = policy.get("deadLetterTargetArn")
        return RedrivePolicy(
            max_receives=number(policy.get("maxReceiveCount")), target_arn=target if isinstance(target, str) else ""
        )


def json_object(text: str) -> Mapping[str, object]:
    """Return a JSON object; an empty one when the text is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


async def read_queue(access: AwsAccess, url: str) -> QueueFacts | DequeuerError:
    """Return the attributes of a queue, or the error, such as `SourceGoneError`. Raises nothing."""
    try:
        response = await access.ask_sqs(access.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(ALL)))
    except DequeuerError as error:
        return error
    found = response.get("Attributes")
    given = found if isinstance(found, Mapping) else {}
    return QueueFacts(attributes={str(name): str(value) for name, value in given.items()})
