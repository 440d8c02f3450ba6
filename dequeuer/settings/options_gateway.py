"""The rows of the table that only the gateway reads."""

from __future__ import annotations

from dequeuer.settings.option import Option
from dequeuer.settings.parsers import LARGEST_OBJECT, port, seconds, size
from dequeuer.settings.places import BUCKET, HOSTS, QUEUES

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
    name="hosts",
    env=("DEQUEUER_GATEWAY_HOST",),
    parser=HOSTS,
    default="0.0.0.0,::",
    commands=("gateway",),
    help="Addresses that the gateway listens on. The default is every address, of IPv4 and IPv6; of these two, one "
    "that the machine lacks is left out.",
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
    parser=size(1, LARGEST_OBJECT, "48GiB"),
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
SHUTDOWN_DELAY = Option(
    name="shutdown_delay_s",
    env=("DEQUEUER_SHUTDOWN_DELAY",),
    parser=seconds(0, 3600),
    default="5",
    unit="s",
    commands=("gateway",),
    help="Time after SIGTERM in which the gateway goes on serving while `/healthz` answers 503, so that load balancers "
    "stop sending before it closes. Requests under way have up to 30 s after that.",
)
