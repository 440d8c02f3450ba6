"""Arbitrary messages in the queue: each has an outcome, and nothing is written outside the request's prefix."""

from __future__ import annotations

import asyncio
import json
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dequeuer.container.target import HttpTarget
from dequeuer.core.drain import Drain
from dequeuer.core.errors import InvalidInputError
from dequeuer.core.message import Done, Message, Outcome, Reject, Requeue, Retry
from dequeuer.formats.headers import forwardable, parse_headers
from dequeuer.formats.request_id import is_request_id
from dequeuer.handlers.batch_api.completion import Completion
from dequeuer.handlers.batch_api.handler import BatchHandler
from dequeuer.sources.base import Depth
from tests.fakes import FakeSource, MemoryStore, OpenFence, Recorder
from tests.handlers.stage import Reply, ScriptedTarget
from tests.hostile import evidence
from tests.hostile.evidence import CANARY
from tests.hostile.server import OK, read_request, serving

ODD = st.sampled_from(
    [
        "..", ".", "/", "\\", "%2e", "%2f", "a", "\0", "\n", "\r\n", "\u202e", "\ufeff", "\ud800", "é", "\U0001d4b3", "٣", ":", "-",
        "payload", "../../other/r", "status/completed", "result.json", " ", "\t",
    ]
)  # fmt: skip
BODIES = (
    st.lists(ODD | st.text(max_size=5), max_size=6).map("".join)
    | st.text(string.ascii_letters + string.digits + "._:-/", max_size=140)
    | st.sampled_from(["", "a" * 128, "a" * 129, "x" * 262_144, "[" * 262_144, "\ud800" * 1000, CANARY * 20_000])
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["job_complete", "api_name", "job_id", ""]) | ODD, st.text(max_size=10) | ODD
)
COUNTS = st.sampled_from([0, 1, 2, 5, 6, 1000, 2**63])
OUTCOMES = (Done, Retry, Reject, Requeue)


def message(body: str, attributes: dict[str, str], receive_count: int) -> Message:
    return Message(id="m", body=body, receive_count=receive_count, sent_at=None, attributes=attributes)


def judge(outcome: Outcome, delivered: Message, ref: str) -> None:
    """An outcome that can be settled and logged."""
    assert isinstance(outcome, OUTCOMES)
    if isinstance(outcome, Retry | Reject):
        assert 0 <= outcome.after_s <= 43_200
    assert len(outcome.reason) < 1024
    with evidence.captured() as out:
        evidence.log(evidence.settled(delivered, outcome, ref))
    (line,) = evidence.lines(out)
    assert len(json.dumps(line)) < 2048


@given(BODIES, ATTRIBUTES, COUNTS)
@settings(max_examples=150, suppress_health_check=list(HealthCheck), print_blob=True)
@pytest.mark.looptime
async def test_any_message_is_a_request_or_poison(body: str, attributes: dict[str, str], receive_count: int) -> None:
    store, target = evidence.Discard(), ScriptedTarget()
    prefix = f"{evidence.PREFIX}{body}/"
    if is_request_id(body):
        store.seed([(f"{prefix}payload", b"{}")])
    handler = evidence.async_handler(store, target)
    delivered = message(body, attributes, receive_count)
    outcome = await handler.handle(delivered, OpenFence())
    judge(outcome, delivered, handler.ref(delivered))
    if is_request_id(body):
        assert outcome == Done(state="completed", after_ack=outcome.after_ack if isinstance(outcome, Done) else None)
        assert evidence.keys_outside(store, prefix) == []
    else:
        assert isinstance(outcome, Reject)
        assert outcome.poison
        assert (store.journal, target.requests) == ([], [])


PAYLOADS = st.sampled_from([b"", b"{}", b"\0" * 70_000, CANARY.encode() * 20_000])
HEADERS = (
    st.binary(max_size=60)
    | st.sampled_from(
        [
            b"", b"null", b"[]", b"{}", b"7", b'{"A": ["b\\r\\nC: d"]}', b'{"A\\n": ["b"]}', b'{"A": ["\\ud800"]}', b'{"A": "b"}',
            b'{"A": [1]}', b'{"A": null}', b'{"": [""]}', b"[" * 100_000, b'{"A": ["' + b"x" * 70_000 + b'"]}', b"\xff\xfe",
            b'{"Host": ["x"], "Content-Length": ["9"], "Transfer-Encoding": ["chunked"], "X-Cortex-Request-ID": ["other"]}',
            b"9" * 5000, b"{" + b",".join(b'"A%d": [""]' % at for at in range(1500)) + b"}", b"x" * 300_000,
        ]
    )
)  # fmt: skip


@given(HEADERS, PAYLOADS, COUNTS, st.sampled_from([Reply(), Reply(status=500), Reply(body=b"{")]))
@settings(max_examples=120, suppress_health_check=list(HealthCheck), print_blob=True)
@pytest.mark.looptime
async def test_any_submission_ends_one_way(headers: bytes, payload: bytes, receive_count: int, reply: Reply) -> None:
    store = MemoryStore()
    store.seed([(f"{evidence.REQUEST}headers.json", headers), (f"{evidence.REQUEST}payload", payload)])
    target = ScriptedTarget([reply])
    handler = evidence.async_handler(store, target)
    delivered = message("request-1", {}, receive_count)
    outcome = await handler.handle(delivered, OpenFence())
    judge(outcome, delivered, handler.ref(delivered))
    assert isinstance(outcome, Done)
    assert CANARY not in outcome.reason
    assert evidence.keys_outside(store) == []
    marks = [key for key in store.objects if key.endswith(("/completed", "/failed"))]
    assert marks == [f"{evidence.REQUEST}status/{outcome.state}"]
    for request in target.requests:
        names = [name.lower() for name, _ in request.headers]
        assert names.count("x-cortex-request-id") == 1
        assert not {"host", "content-length", "transfer-encoding"} & set(names)
        assert not [value for _, value in request.headers if "\r" in value or "\n" in value]


@given(BODIES | st.sampled_from(["[]", " [1]", "[1", "[" * 9000 + "]" * 9000, "[NaN]"]), ATTRIBUTES, COUNTS)
@settings(max_examples=150, suppress_health_check=list(HealthCheck), print_blob=True)
@pytest.mark.looptime
async def test_any_message_of_a_job_has_an_outcome(body: str, attributes: dict[str, str], receive_count: int) -> None:
    target, drain, observer = ScriptedTarget(), Drain(), Recorder()
    queue = FakeSource(depths=[Depth(visible=0, in_flight=1, delayed=0)])
    completion = Completion(
        job_id="job",
        queue=queue,
        target=target,
        delay_s=1,
        policy=evidence.POLICY,
        drain=drain,
        observer=observer,
    )
    handler = BatchHandler(
        job_id="job", target=target, completion=completion, policy=evidence.POLICY, drain=drain, observer=observer
    )
    delivered = message(body, attributes, receive_count)
    async with asyncio.timeout(1000):
        outcome = await handler.handle(delivered, OpenFence())
    judge(outcome, delivered, handler.ref(delivered))
    if attributes.get("job_complete") == "true":
        assert isinstance(outcome, Done)
        assert [request.path for request in target.requests] == ["/on-job-complete"]
    else:
        assert [request.body for request in target.requests] == ([body.encode()] if isinstance(outcome, Done) else [])
    if isinstance(outcome, Reject):
        assert outcome.poison


SPECIAL = st.sampled_from(
    ["Cookie", "Authorization", "Content-Encoding", "Accept-Encoding", "Content-Type", "User-Agent", "Referer", "Range"]
)
NAMES = SPECIAL | st.text("!#$%&'*+-.^_`|~09AZaz", min_size=1, max_size=8)
VALUES = st.text(max_size=12) | st.sampled_from(["gzip", "chunked", "a=b; c", "bytes=0-", "\x80", "\t", " a "])


@given(st.dictionaries(NAMES, st.lists(VALUES, max_size=3), max_size=4))
@settings(max_examples=100, suppress_health_check=list(HealthCheck), print_blob=True)
async def test_accepted_headers_arrive_unchanged(document: dict[str, list[str]]) -> None:
    try:
        fields = forwardable(parse_headers(json.dumps(document).encode()))
    except InvalidInputError:
        return
    heads: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await read_request(reader))
        writer.write(OK)
        await reader.read()

    async with asyncio.timeout(60), serving(script) as port:
        target = HttpTarget(port=port, timeout_s=60)
        async with target.post("/", fields, b"body") as answer:
            assert answer.status == 200
        await target.close()
    head, _, body = heads[0].partition(b"\r\n\r\n")
    assert body == b"body"
    got = [line for line in head.split(b"\r\n")[1:] if not line.startswith((b"Host: ", b"Content-Length: "))]
    sent = [f"{name}: {value}".encode() for name, value in fields]
    assert sorted(line.lower() for line in got) == sorted(line.lower() for line in sent)
