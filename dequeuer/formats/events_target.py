"""Where the ends of requests are published: a queue of SQS, a topic of SNS, or a bus of EventBridge."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

TargetService = Literal["sqs", "sns", "events"]
"""As in ARNs and in the names of AWS's hosts; events: EventBridge."""

_REGION: Final = r"([a-z]{2}(?:-[a-z0-9]+)+-[0-9]{1,2})"
_ACCOUNT: Final = "[0-9]{12}"
_TOPIC: Final = re.compile(rf"arn:aws[a-z-]*:sns:{_REGION}:{_ACCOUNT}:[A-Za-z0-9_-]{{1,256}}")
_BUS: Final = re.compile(rf"arn:aws[a-z-]*:events:{_REGION}:{_ACCOUNT}:event-bus/[A-Za-z0-9/._-]{{1,256}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsTarget:
    """A queue, a topic, or a bus.

    Attributes:
        service: that it belongs to.
        address: the URL of a queue; the ARN of a topic or a bus.
        region: of a topic or a bus; "" of a queue, whose client finds it in the URL.
    """

    service: TargetService
    address: str
    region: str = ""


def target_of_arn(arn: str) -> EventsTarget | None:
    """Return the topic or the bus of an ARN; None: it is that of neither. FIFO topics are none: they need groups."""
    if topic := _TOPIC.fullmatch(arn):
        return EventsTarget(service="sns", address=arn, region=topic[1])
    if bus := _BUS.fullmatch(arn):
        return EventsTarget(service="events", address=arn, region=bus[1])
    return None
