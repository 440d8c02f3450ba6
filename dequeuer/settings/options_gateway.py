"""The rows of the table that only the gateway reads."""

from __future__ import annotations

from dequeuer.settings.option import Option
from dequeuer.settings.parsers import LARGEST_OBJECT, port, size
from dequeuer.settings.places import BUCKET, HOST, QUEUES

GATEWAY_BUCKET = Option(
    name="bucket",
    flag="bucket",
    env=("DEQUEUER_BUCKET",),
    parser=BUCKET,
    commands=("gateway",),
    required_for=("gateway",),
    help="S3 bucket of the async APIs' payloads and results.",
)
GATEWAY_HOST = Option(
    name="host",
    env=("DEQUEUER_GATEWAY_HOST",),
    parser=HOST,
    default="0.0.0.0",  # noqa: S104 - the gateway is there for others
    commands=("gateway",),
    help="Address that the gateway listens on.",
)
GATEWAY_PORT = Option(
    name="port",
    flag="port",
    env=("DEQUEUER_GATEWAY_PORT",),
    parser=port(),
    default="8080",
    commands=("gateway",),
    help="Port of the gateway.",
)
GATEWAY_QUEUES = Option(
    name="queues",
    env=("DEQUEUER_QUEUES",),
    parser=QUEUES,
    default_note="none: only requests that name their queue, as Cortex's do, are taken",
    commands=("gateway",),
    help="The APIs that are served and their queues.",
)
MAX_PAYLOAD_BYTES = Option(
    name="max_payload_bytes",
    env=("DEQUEUER_MAX_PAYLOAD_BYTES",),
    parser=size(1, LARGEST_OBJECT, "5TiB"),
    default="1GiB",
    commands=("gateway",),
    help="Largest payload that is taken.",
)
INLINE_BYTES = Option(
    name="inline_bytes",
    env=("DEQUEUER_INLINE_BYTES",),
    parser=size(0, 128 * 1024, "128KiB"),
    default="0",
    commands=("gateway",),
    help="Payloads up to this size ride in the queue message itself; 0: none does, as Cortex's own dequeuer needs it.",
)
