"""The rule of the proxy: what the container sees is exactly what was meant, or nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.integration.proxy.client import Received, converse
from tests.integration.proxy.judge import FaultError, Fields, Reading, Request, read_requests
from tests.integration.proxy.readers import READERS, RefusedError
from tests.integration.proxy.recorder import Recorder, Recording
from tests.integration.proxy.response_judge import Response, read_responses

_WRITTEN_BY_PROXY = frozenset(
    {
        *(b"connection", b"content-length", b"expect", b"forwarded", b"keep-alive", b"proxy-connection", b"te"),
        *(b"traceparent", b"transfer-encoding", b"upgrade", b"x-forwarded-for", b"x-forwarded-host"),
        *(b"x-forwarded-proto", b"proxy-authorization", b"proxy-authenticate"),
    }
)
"""Fields that are written anew, or dropped: they are not compared, but checked."""
_MAY_BE_NAMED = frozenset({b"authorization", b"connection", b"content-type", b"cookie", b"host"})
"""Fields that a Connection field cannot make hop-by-hop, or not with every proxy."""
_HARMLESS = frozenset(
    {"bytes in the target", "form of Host", "Expect", "Upgrade", "underscore in a name", "large head"}
)
_NEVER_SENT = frozenset({b"keep-alive", b"proxy-connection", b"proxy-authorization"})
_MISLEADING = frozenset(
    {
        *(b"content-length", b"transfer-encoding", b"content-type", b"x-forwarded-for", b"x-forwarded-host"),
        *(b"x-forwarded-proto", b"proxy-authorization"),
    }
)
"""Names that must not be sent with an underscore: CGI and WSGI would take them for these."""


def responses_of(data: bytes, received: Received) -> list[Response]:
    """Return the responses to requests that were sent together; raise `FaultError` where there is anything else."""
    meant = read_requests(data)
    methods = [request.method for request in meant.requests]
    if meant.rest:
        # It may be answered with an error.
        methods.append(b"HEAD" if re.match(rb"(?:\r\n)*HEAD ", meant.rest) else b"(unknown)")
    return read_responses(received.data, methods, is_closed=received.is_closed)


SETTLED = b"GET /settled HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


def send(
    port: int, recorder: Recorder, data: bytes, *, pieces: Sequence[bytes] = (), until_closed: bool = False
) -> tuple[Received, Recording]:
    """Send requests, in pieces, and return what came back, and what the container saw of it.

    `until_closed`: the proxy must close; otherwise the client does when every request is answered.
    """
    received = converse(port, pieces or [data], (lambda _: False) if until_closed else all_answered(data))
    # A request that goes the same way: what has gone before it has arrived.
    last = converse(port, [SETTLED])
    assert last.data.startswith(b"HTTP/1.1 200 "), f"the proxy serves no more: {last}"
    recording = recorder.take()
    requests = tuple(request for request in recording.requests if request.target != b"/settled")
    return received, replace(recording, requests=requests)


def all_answered(data: bytes) -> Callable[[bytes], bool]:
    """Return whether bytes are the responses to all requests of `data`, after which nothing more comes."""
    meant = read_requests(data)
    if meant.fault or (meant.requests and meant.requests[-1].is_last):
        return lambda _received: False  # the connection is closed then

    def enough(received: bytes) -> bool:
        responses = responses_of(data, Received(received, is_closed=False))
        if any(b"close" in response.values(b"connection") for response in responses):
            return False  # it is closed then, too
        return len(responses) >= len(meant.requests) and all(response.is_whole for response in responses)

    return enough


def check_container(data: bytes, recording: Recording) -> None:
    """Check that the container saw the first requests of `data`, each exactly as meant, and nothing else."""
    meant = read_requests(data)
    assert len(recording.requests) <= len(meant.requests), f"smuggled: {recording.requests[len(meant.requests) :]}"
    for number, (wanted, seen) in enumerate(zip(meant.requests, recording.requests, strict=False)):
        check_request(wanted, seen, f"request {number}")
    for reading in recording.partial:
        _check_partial(
            reading, [*meant.requests[len(recording.requests) :], *([meant.partial] if meant.partial else [])]
        )


def _check_partial(reading: Reading, wanted: Sequence[Request]) -> None:
    """Check a request that broke off: its head must be that of one that was meant, and so the body as far as it goes."""
    assert not reading.fault, f"the container got no HTTP: {reading.fault}: {reading.rest!r:.500}"
    seen = reading.partial
    assert seen is not None, f"half a head: {reading.rest!r:.500}"
    faults = []
    for request in wanted:
        try:
            assert request.body.startswith(seen.body)
            check_request(request, seen, "half a request", has_body=False)
        except AssertionError as error:
            faults.append(str(error))
        else:
            return
    raise AssertionError(f"half a request that was not meant: {reading.rest!r:.500}: {faults}")


def check_request(wanted: Request, seen: Request, what: str, *, has_body: bool = True) -> None:
    """Check that a request is what was meant, and could not be clearer."""
    assert seen.method == wanted.method, f"{what}: method {seen.method!r}, meant was {wanted.method!r}"
    assert seen.target == wanted.path, f"{what}: target {seen.target!r}, meant was {wanted.path!r}"
    options = wanted.listed(b"connection")
    left_out = _WRITTEN_BY_PROXY | options
    is_hostless = not wanted.values(b"host")
    if is_hostless:
        left_out |= {b"host"}
    assert _without(seen.fields, left_out) == _without(wanted.fields, left_out), f"{what}: fields {seen.fields}"
    assert len(seen.values(b"host")) == 1, f"{what}: Host {seen.values(b'host')}"
    if b"host" in options and not is_hostless:
        assert seen.values(b"host") == wanted.values(b"host"), f"{what}: Host {seen.fields}"
    for option in options - _MAY_BE_NAMED - _WRITTEN_BY_PROXY:
        assert not seen.values(option), f"{what}: {option!r} is hop-by-hop: {seen.fields}"
    _check_clarity(seen, what)
    if has_body:
        assert seen.body == wanted.body, f"{what}: body {seen.body!r:.200}, meant was {wanted.body!r:.200}"
        _check_trailers(wanted, seen, what)


def _check_clarity(seen: Request, what: str) -> None:
    assert set(seen.doubts) <= _HARMLESS, f"{what}: the container got what may be read in two ways: {seen.doubts}"
    assert seen.version == b"HTTP/1.1", f"{what}: {seen.version!r}"
    for name, value in (*seen.fields, *seen.trailers):
        twin = name.lower().replace(b"_", b"-")
        assert b"_" not in name or twin not in _MISLEADING, f"{what}: {name!r}"
        assert twin not in _NEVER_SENT, f"{what}: {name!r} is hop-by-hop"
        assert twin != b"upgrade" or b"h2c" not in value.lower(), f"{what}: h2c"
    options = seen.listed(b"connection")
    assert options <= {b"close", b"keep-alive", b"te", b"upgrade"}, f"{what}: {seen.fields}"
    # Both are for the next hop alone: a field without its option would go on to whom it is not meant for.
    for name in (b"te", b"upgrade"):
        assert (name in options) == bool(seen.values(name)), f"{what}: {seen.fields}"
    addresses = seen.values(b"x-forwarded-for")
    assert len(addresses) == 1, f"{what}: X-Forwarded-For {addresses}"
    assert addresses[0].split(b",")[-1].strip() == b"127.0.0.1", f"{what}: X-Forwarded-For {addresses}"
    assert len(seen.values(b"traceparent")) <= 1, f"{what}: traceparent"


def _check_trailers(wanted: Request, seen: Request, what: str) -> None:
    if "trailers" in wanted.doubts:
        assert set(seen.trailers) <= set(wanted.trailers), f"{what}: trailers {seen.trailers}"
    else:
        assert seen.trailers == wanted.trailers, f"{what}: trailers {seen.trailers}, meant were {wanted.trailers}"


def _without(fields: Fields, names: frozenset[bytes] | set[bytes]) -> list[tuple[bytes, bytes]]:
    return [(name.lower(), value) for name, value in fields if name.lower() not in names]


def check_answers(data: bytes, received: Received, recording: Recording) -> list[int]:
    """Check that each response is that of its request; return the statuses."""
    try:
        responses = responses_of(data, received)
    except FaultError as error:
        raise AssertionError(f"the client got no HTTP: {error}: {received.data!r:.1000}") from error
    answered = [response for response in responses if response.status == 200]
    assert [response.status for response in responses[: len(answered)]] == [200] * len(answered), (
        "an answer after an error"
    )
    assert len(responses) - len(answered) <= 1, f"more than one error: {responses}"
    assert len(answered) == len(recording.requests), f"answers {responses}, requests {recording.requests}"
    for response, request in zip(answered, recording.requests, strict=True):
        body = b"" if request.method == b"HEAD" else request.method + b" " + request.target
        assert response.body == body, f"the answer to another request: {response.body!r}, not {body!r}"
        assert response.is_whole, f"half an answer: {response}"
    return [response.status for response in responses]


def check_readers(recording: Recording) -> None:
    """Check that every server that takes what the proxy has sent reads the requests that the judge reads."""
    for data in recording.sent:
        requests = read_requests(data).requests
        for name, read in READERS.items():
            wanted = [(request.method, request.target, request.body) for request in requests]
            try:
                found = read(data)
            except RefusedError:
                continue
            if name == "aiohttp":
                wanted = [(method.upper(), target, body) for method, target, body in wanted]
            assert found == wanted[: len(found)], f"{name} reads {found!r:.1000} from {data!r:.1000}"
            # After the first request to upgrade, aiohttp reads no other.
            is_short = b"\r\nUpgrade: " in data and name == "aiohttp"
            assert len(found) == len(wanted) or is_short, f"{name} reads {found!r:.1000} from {data!r:.1000}"
