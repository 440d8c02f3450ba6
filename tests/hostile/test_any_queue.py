"""Arbitrary messages of others: each has an outcome, is one request at most, and leaves nothing in the log."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dequeuer.container.target import HttpTarget
from dequeuer.core.drain import Drain
from dequeuer.core.message import Done, Message, Reject, Retry
from dequeuer.handlers.queue_api.delivery import BodyFormat
from dequeuer.handlers.queue_api.handler import QueueHandler, RequestForm
from dequeuer.handlers.queue_api.payloads import Payloads
from dequeuer.handlers.queue_api.pointer import CLASSES, SIZE_ATTRIBUTES
from dequeuer.handlers.queue_api.results import QueueResults
from tests.fakes import MemoryStore, OpenFence, Recorder
from tests.hostile import evidence
from tests.hostile.evidence import CANARY
from tests.hostile.server import OK, read_request, serving
from tests.hostile.test_messages import COUNTS, ODD, judge

TEXTS = st.lists(ODD | st.text(max_size=6) | st.just(CANARY), max_size=5).map("".join)
POINTED = st.fixed_dictionaries(
    {"s3BucketName": st.sampled_from(["payloads", "secrets", "", "payloads/../secrets"]), "s3Key": TEXTS}
)
BODIES = (
    TEXTS
    | st.builds(lambda name, pointed: json.dumps([name, pointed]), st.sampled_from(CLASSES), POINTED)
    | st.builds(lambda text: json.dumps({"Type": "Notification", "TopicArn": "t", "Message": text}), TEXTS)
    | st.sampled_from(
        ["[" * 100_000, '{"Records": []}', '{"Event": "s3:TestEvent"}', "{}", "9" * 5000, CANARY * 70_000]
    )
)
NAMES = (
    st.sampled_from([*SIZE_ATTRIBUTES, "beanstalk.sqsd.path", "a", "A", "a" * 256, "may_repeat"])
    | ODD
    | st.text(max_size=4)
)
VALUES = TEXTS | st.sampled_from(["/a", "x" * 262_144, "a\r\nHost: evil", "a\n\nGET / HTTP/1.1\r\n\r\n", "7"])
HEAD = re.compile(
    rb"POST /[!-~]* HTTP/1\.1\r\n(?:(?:Host|Content-Type|User-Agent|Content-Length|X-Dequeuer-Omitted-Attributes|"
    rb"X-Aws-Sqsd-(?:Msgid|Queue|Receive-Count|First-Received-At|Sender-Id|Path|Taskname|Scheduled-At|"
    rb"Attr-[A-Za-z0-9_.-]{1,256})): [^\x00-\x08\x0a-\x1f\x7f]*\r\n)*\r\n"
)


@given(
    BODIES,
    st.dictionaries(NAMES, VALUES, max_size=10),
    st.dictionaries(st.sampled_from(["SenderId", "ApproximateFirstReceiveTimestamp"]), VALUES),
    st.sampled_from(["m-1"] * 12 + ["..", "", "a/b", "m\r\nHost: evil"]),
    COUNTS,
    st.sampled_from(["raw", "sns", "s3-events"]),
)
@settings(max_examples=200, suppress_health_check=list(HealthCheck), print_blob=True, deadline=None)
async def test_any_message_of_others_is_one_request_or_none(
    body: str,
    attributes: dict[str, str],
    system: dict[str, str],
    message_id: str,
    receive_count: int,
    body_format: BodyFormat,
) -> None:
    requests: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            requests.append(await read_request(reader))
            writer.write(OK)

    store = MemoryStore()
    delivered = Message(
        id=message_id,
        body=body,
        receive_count=receive_count,
        sent_at=None,
        attributes=attributes,
        system_attributes=system,
    )
    async with asyncio.timeout(60), serving(script) as port:
        target = HttpTarget(port=port, timeout_s=60)
        handler = QueueHandler(
            form=RequestForm(path="/", takes_paths=True, content_type="text/plain", body_format=body_format),
            target=target,
            payloads=Payloads({"payloads": store}, deletes=True),
            results=QueueResults(store, "out/", 1 << 20),
            policy=evidence.POLICY,
            drain=Drain(),
            observer=Recorder(),
        )
        outcome = await handler.handle(delivered, OpenFence())
        await target.close()
    judge(outcome, delivered, handler.ref(delivered))
    assert CANARY not in outcome.reason
    assert isinstance(outcome, Done | Retry | Reject)
    assert len(requests) == (isinstance(outcome, Done) and outcome.state == "completed")
    for request in requests:
        head, _, sent = request.partition(b"\r\n\r\n")
        assert HEAD.fullmatch(head + b"\r\n\r\n"), head
        assert len(head) < 8192
        assert head.count(b"\r\nHost: ") == head.count(b"\r\nX-Aws-Sqsd-Msgid: ") == 1
        if body_format == "raw":
            assert sent == body.encode()
    assert set(store.objects) == ({"out/m-1"} if requests else set())


@pytest.mark.parametrize("size", [0, 1, 1000, 6 * 1024, 256 * 1024])
async def test_ten_attributes_of_any_size_leave_a_head_that_servers_accept(size: int) -> None:
    attributes = {f"{at}{'n' * 200}": "v" * size for at in range(10)}
    await test_any_message_of_others_is_one_request_or_none.hypothesis.inner_test(  # type: ignore[attr-defined]
        "body", attributes, {"SenderId": "s" * 256}, "m-1", 1, "raw"
    )
