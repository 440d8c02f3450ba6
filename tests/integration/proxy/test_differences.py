"""What the proxy has sent on is read in one way by all servers, and as nginx would have sent it on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.proxy import nginx
from tests.integration.proxy.client import converse
from tests.integration.proxy.corpus import CASES, PASS, Case
from tests.integration.proxy.judge import read_requests
from tests.integration.proxy.readers import READERS, RefusedError
from tests.integration.proxy.recorder import Recorder, recording
from tests.integration.proxy.rules import all_answered, check_readers, send


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_servers_read_the_same_requests_from_what_the_proxy_has_sent(
    case: Case, shared_proxy: int, shared_recorder: Recorder
) -> None:
    _, seen = send(shared_proxy, shared_recorder, case.data)
    check_readers(seen)


def test_the_readers_can_tell_requests_apart() -> None:
    hidden = b"GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n"
    data = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s" % (len(hidden), hidden)
    for name, read in READERS.items():
        assert read(data) == [(b"POST", b"/a", hidden)], name
        assert read(data + hidden) == [(b"POST", b"/a", hidden), (b"GET", b"/hidden", b"")], name
        with pytest.raises(RefusedError):
            read(b"GET /a HTTP/1.1\r\nHost : h\r\n\r\n")


@pytest.fixture(scope="module")
def behind_nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Recorder]]:
    if not nginx.is_installed():
        pytest.skip("nginx is not installed: it is the one server here that pip does not bring")
    with recording() as recorder, nginx.nginx(tmp_path_factory.mktemp("nginx"), recorder.port) as port:
        yield port, recorder


PASSING = [case for case in CASES if case.expected is PASS]


@pytest.mark.parametrize("case", PASSING, ids=[case.name for case in PASSING])
def test_nginx_sends_the_same_requests(
    case: Case, shared_proxy: int, shared_recorder: Recorder, behind_nginx: tuple[int, Recorder]
) -> None:
    port, recorder = behind_nginx
    _, ours = send(shared_proxy, shared_recorder, case.data)
    converse(port, [case.data], all_answered(case.data))
    theirs = recorder.take()

    assert len(ours.requests) == len(read_requests(case.data).requests)
    for own, other in zip(ours.requests, theirs.requests, strict=False):
        assert (own.method, own.target, own.body) == (other.method, other.target, other.body)
