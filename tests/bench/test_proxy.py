"""The rows of the proxies: the raw client gets what it counts, through each program, and notices everything else."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bench.proxy import held, small_requests, wire
from bench.proxy.plan import Load, LoadPlan
from bench.proxy.raw_client import LoadError
from bench.proxy.run import latencies_added, spread_of_latency
from bench.proxy.subjects import Subject, container, running


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    with container(tmp_path_factory.mktemp("container")) as found:
        yield found


@pytest.fixture(scope="module", params=["direct", "floor", "aiohttp", "dequeuer"])
def subject(
    request: pytest.FixtureRequest, direct: Subject, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Subject]:
    if request.param == "direct":
        yield direct
        return
    with running(request.param, direct, tmp_path_factory.mktemp(request.param)) as found:
        yield found


def plan(subject: Subject, connections: int = 3, measured: int = 50) -> LoadPlan:
    return LoadPlan(mode="closed", port=subject.port, pid=os.getpid(), connections=connections, measured=measured)


def test_small_requests_are_counted_and_timed(subject: Subject) -> None:
    load = small_requests.closed(replace(plan(subject), warm=5))
    assert load.requests == 50
    assert load.took_s > 0
    paced = small_requests.paced(replace(plan(subject), warm=5, rate=2000))
    assert paced.requests == 50
    assert 0 < paced.latencies_s[0] <= paced.latencies_s[1] <= paced.latencies_s[2]


def test_a_request_without_a_free_connection_waits_for_one(direct: Subject) -> None:
    assert small_requests.paced(replace(plan(direct, connections=1), rate=1_000_000)).requests == 50


def test_connections_streams_and_bodies_are_held(subject: Subject) -> None:
    assert held.idle(plan(subject, connections=20)).peak_mib > 0
    assert held.streams(plan(subject, connections=5)).peak_mib > 0
    size = 4 * 1024 * 1024
    assert held.download(replace(plan(subject), size=size)).took_s > 0
    assert held.upload(replace(plan(subject), size=size)).took_s > 0


@pytest.fixture
def answering(request: pytest.FixtureRequest) -> Iterator[int]:
    """Serve a connection for each part of the parameter: read once, send it, close."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for answer in request.param:
                connection, _ = server.accept()
                with connection:
                    connection.recv(64 * 1024)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


WRONG = [
    b"",
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
    wire.result()[:-1],
    wire.result() + b"x",
]


@pytest.mark.parametrize("answering", [(answer,) for answer in WRONG], indirect=True)
def test_another_response_than_the_expected_one_is_no_measurement(answering: int) -> None:
    with pytest.raises(LoadError):
        small_requests.closed(LoadPlan(mode="closed", port=answering, connections=1, measured=1))


@pytest.mark.parametrize("answering", [(wire.result(), wire.result())], indirect=True)
def test_an_idle_connection_that_is_closed_is_no_measurement(answering: int) -> None:
    with pytest.raises(LoadError, match="of 2 idle connections were closed"):
        held.idle(LoadPlan(mode="idle", port=answering, connections=2))


@pytest.mark.parametrize("answering", [(wire.head(100) + b"x",)], indirect=True)
def test_a_body_that_ends_early_is_no_measurement(answering: int) -> None:
    with pytest.raises(LoadError, match="99 bytes early"):
        held.download(LoadPlan(mode="download", port=answering, size=100))


def test_latency_is_what_is_added_to_that_without_a_proxy() -> None:
    def load(*latencies_s: float) -> Load:
        p50, p99, p999 = latencies_s
        return Load(requests=1, took_s=1, cpu_s=1, peak_mib=1, own_cpu_s=1, latencies_s=(p50, p99, p999))

    added = latencies_added(load(0.003, 0.005, 0.009), load(0.001, 0.002, 0.003))
    found = spread_of_latency([added, added])
    assert [round(value.median, 6) for value in (found.p50, found.p99, found.p999)] == [2, 3, 6]
