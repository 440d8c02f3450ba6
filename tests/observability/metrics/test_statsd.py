from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dequeuer.core.events import BatchEnded, GateChanged
from dequeuer.observability.metrics import Statsd
from dequeuer.observability.metrics.statsd import LOOK_UP_INTERVAL_S, MAX_QUEUED_LINES

OK = BatchEnded(succeeded=True, duration_s=0.25)
FAILED = BatchEnded(succeeded=False, duration_s=9.0)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Names:
    """A resolver that finds an address or fails. It counts look-ups, and a test can wait for them."""

    def __init__(self, port: int) -> None:
        self.known = True
        self.questions = 0
        self.answering = threading.Event()
        self.answering.set()
        self._port = port

    def getaddrinfo(self, host: str, port: int, *, type: int, flags: int = 0) -> list[Any]:  # noqa: A002 - as it is
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror
        assert threading.current_thread() is not threading.main_thread(), "the loop must not wait for DNS"
        self.questions += 1
        assert self.answering.wait(20)
        if not self.known:
            raise socket.gaierror
        nobody = (socket.AF_INET6, type, 17, "", ("::1", port, 0, 0))
        return [nobody, (socket.AF_INET, type, 17, "", ("127.0.0.1", self._port))]


@pytest.fixture
def daemon() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        bound.settimeout(20)
        yield bound


@pytest.fixture
def names(daemon: socket.socket, monkeypatch: pytest.MonkeyPatch) -> Names:
    resolver = Names(daemon.getsockname()[1])
    monkeypatch.setattr(socket, "getaddrinfo", resolver.getaddrinfo)
    return resolver


def received(daemon: socket.socket, count: int) -> list[str]:
    return [daemon.recv(2048).decode() for _ in range(count)]


def nothing_more(daemon: socket.socket) -> bool:
    daemon.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        return not daemon.recv(2048)
    return True


def wait_for_look_up() -> None:
    for thread in threading.enumerate():
        if thread.name == "statsd look-up":
            thread.join(20)


def test_lines_are_those_of_cortex(daemon: socket.socket) -> None:
    statsd = Statsd(daemon.getsockname(), "my-api", "69b183ed6bdf3e9b")
    with contextlib.closing(statsd):
        statsd(OK)
        statsd(GateChanged(is_open=True))
        statsd(FAILED)
        assert received(daemon, 3) == [
            "cortex_batch_succeeded:1|c|#api_name:my-api,job_id:69b183ed6bdf3e9b",
            "cortex_time_per_batch:0.250000|h|#api_name:my-api,job_id:69b183ed6bdf3e9b",
            "cortex_batch_failed:1|c|#api_name:my-api,job_id:69b183ed6bdf3e9b",
        ]
        assert nothing_more(daemon)


@given(st.text(max_size=400), st.text(max_size=400))
def test_a_tag_value_cannot_end_its_tag_line_or_datagram(api_name: str, job_id: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        bound.settimeout(20)
        with contextlib.closing(Statsd(bound.getsockname(), api_name, job_id)) as statsd:
            statsd(FAILED)
            line = bound.recv(4096).decode("ascii")
    assert len(line) < 500
    assert line.isprintable()
    metric, kind, tags = line.split("|")
    assert (metric, kind) == ("cortex_batch_failed:1", "c")
    assert [tag.split(":")[0] for tag in tags.removeprefix("#").split(",")] == ["api_name", "job_id"]
    assert tags.count(":") == 2


def test_a_name_is_looked_up_off_the_loop_and_ipv4_is_preferred(daemon: socket.socket, names: Names) -> None:
    with contextlib.closing(Statsd(("statsd.example", 9125), "a", "j", clock=Clock())) as statsd:
        wait_for_look_up()
        statsd(FAILED)
        assert received(daemon, 1) == ["cortex_batch_failed:1|c|#api_name:a,job_id:j"]


def test_a_batch_that_ends_before_the_look_up_is_sent_later(daemon: socket.socket, names: Names) -> None:
    clock = Clock()
    names.known = False
    with contextlib.closing(Statsd(("statsd.example", 9125), "a", "j", clock=clock)) as statsd:
        wait_for_look_up()
        statsd(FAILED)
        statsd(FAILED)
        assert names.questions == 1, "not more than once a minute"
        names.known = True
        names.answering.clear()
        clock.now += LOOK_UP_INTERVAL_S
        statsd(OK)
        names.answering.set()
        wait_for_look_up()
        assert names.questions == 2
    assert len(received(daemon, 4)) == 4


def test_lines_that_wait_for_a_look_up_are_bounded(daemon: socket.socket, names: Names) -> None:
    names.known = False
    clock = Clock()
    with contextlib.closing(Statsd(("statsd.example", 9125), "a", "j", clock=clock)) as statsd:
        wait_for_look_up()
        statsd(OK)
        for _ in range(MAX_QUEUED_LINES + 5):
            statsd(FAILED)
        names.known = True
        clock.now += LOOK_UP_INTERVAL_S
        daemon.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        statsd(FAILED)
        wait_for_look_up()
    assert received(daemon, 1) == ["cortex_batch_failed:1|c|#api_name:a,job_id:j"], "the oldest are gone"


def test_an_address_known_once_is_kept_while_dns_is_away(daemon: socket.socket, names: Names) -> None:
    clock = Clock()
    with contextlib.closing(Statsd(("statsd.example", 9125), "a", "j", clock=clock)) as statsd:
        wait_for_look_up()
        names.known = False
        clock.now += LOOK_UP_INTERVAL_S
        statsd(FAILED)
        wait_for_look_up()
        statsd(FAILED)
        assert names.questions == 2
        assert len(received(daemon, 2)) == 2


def test_metrics_that_cannot_be_sent_are_dropped() -> None:
    # A broadcast without permission is refused at once, each time.
    with contextlib.closing(Statsd(("255.255.255.255", 9), "a", "j")) as statsd:
        for _ in range(3):
            statsd(OK)


def test_after_close_nothing_is_sent(daemon: socket.socket) -> None:
    statsd = Statsd(daemon.getsockname(), "a", "j")
    statsd.close()
    statsd(OK)
    statsd.close()
    assert nothing_more(daemon)


def test_an_ipv6_host_may_have_its_brackets() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as bound:
        try:
            bound.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
        bound.settimeout(20)
        for host in ("::1", "[::1]"):
            with contextlib.closing(Statsd((host, bound.getsockname()[1]), "a", "j")) as statsd:
                statsd(FAILED)
                assert received(bound, 1) == ["cortex_batch_failed:1|c|#api_name:a,job_id:j"]
