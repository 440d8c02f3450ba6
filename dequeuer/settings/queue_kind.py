"""The options of the sidecar of any queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from dequeuer.core.errors import quoted
from dequeuer.jobs.s3_path import S3Path
from dequeuer.settings.option import option, settings_class
from dequeuer.settings.parsers import BOOLEAN, InvalidValueError, choice, listed, matching
from dequeuer.settings.text_parsers import BUCKET_NAME, S3_PATH

BodyFormat = Literal["raw", "sns", "s3-events"]

URL_PATH = matching(r'/[!-"$-~]{0,1023}', 'a path that begins with "/", up to 1,024 visible ASCII characters, no "#"')
MEDIA_TYPE = matching(
    r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}(?:; ?[!-~ ]{0,100}[!-~])?",
    "a media type, such as application/json or text/plain; charset=utf-8",
)


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    for name, count in Counter(names).items():
        if count > 1:
            raise InvalidValueError(f"{quoted(name)} is there twice")
    return tuple(names)


BUCKETS = listed(
    BUCKET_NAME, _distinct, "names of buckets, separated by commas; none twice; set but empty: none", takes_empty=True
)


@settings_class
class QueueSettings:
    """What is done with the messages of any queue."""

    path: str = option(URL_PATH, "DEQUEUER_QUEUE_PATH", default="/")
    """Any queue: path of the container that messages are sent to."""
    takes_paths: bool = option(BOOLEAN, "DEQUEUER_QUEUE_MESSAGE_PATHS", default="false")
    """Any queue: whether the attribute `beanstalk.sqsd.path` of a message replaces `DEQUEUER_QUEUE_PATH`, as for the
    periodic tasks of Elastic Beanstalk. With true, whoever may send to the queue chooses the path."""
    content_type: str = option(MEDIA_TYPE, "DEQUEUER_QUEUE_CONTENT_TYPE", default="application/json")
    """Any queue: Content-Type of every request."""
    body_format: BodyFormat = option(choice("raw", "sns", "s3-events"), "DEQUEUER_QUEUE_FORMAT", default="raw")
    """Any queue: what bodies are. raw: they are sent as they are. sns: notifications of SNS are unwrapped. s3-events:
    event notifications of S3, also within those of SNS; its test events are acknowledged, anything else is poison."""
    payload_buckets: tuple[str, ...] = option(
        BUCKETS,
        "DEQUEUER_QUEUE_PAYLOAD_BUCKETS",
        default="",
    )
    """Any queue: buckets from which the bodies that pointers of the SQS extended client name are read. A pointer to
    another bucket is poison. Without any, pointers are bodies like others."""
    deletes_payloads: bool = option(BOOLEAN, "DEQUEUER_QUEUE_DELETE_PAYLOADS", default="false")
    """Any queue: whether the object that a pointer names is deleted after its message is done."""
    results: S3Path | None = option(S3_PATH, "DEQUEUER_QUEUE_RESULTS", default=None, unset="none are kept")
    """Any queue: where responses are stored, with the message's id appended: end it with a slash. A message whose
    result is there is not sent to the container again."""

    @property
    def buckets(self) -> tuple[str, ...]:
        """All buckets that are used."""
        return self.payload_buckets if self.results is None else (self.results.bucket, *self.payload_buckets)
