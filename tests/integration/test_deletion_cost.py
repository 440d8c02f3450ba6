"""Busy pods are spared: the sidecar and the proxy write what is in flight to an API server, and work goes on without it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from dequeuer.kubernetes.deletion_cost import ANNOTATION
from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.container import Container, Held
from tests.integration.servers import free_port
from tests.integration.sidecar import Sidecar, async_settings
from tests.integration.waiting import DEADLINE_S, eventually
from tests.kubernetes.api_server import ApiServer, api_server


class RunningApiServer:
    """An API server in a thread. Its state is read while it runs: single values, which it replaces."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server

    @property
    def settings(self) -> Mapping[str, str]:
        return {
            **self.server.environ,
            "DEQUEUER_POD_DELETION_COST": "true",
            "DEQUEUER_SERVICE_ACCOUNT_PATH": str(self.server.files),
        }

    @property
    def cost(self) -> str | None:
        return self.server.annotations.get(ANNOTATION)


@contextmanager
def running(folder: Path, certificate: Path) -> Iterator[RunningApiServer]:
    started, made = threading.Event(), list[tuple[ApiServer, asyncio.AbstractEventLoop, asyncio.Event]]()

    async def serve() -> None:
        ended = asyncio.Event()
        async with api_server(folder, certificate) as server:
            made.append((server, asyncio.get_running_loop(), ended))
            started.set()
            await ended.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert started.wait(DEADLINE_S)
        yield RunningApiServer(made[0][0])
    finally:
        _, loop, ended = made[0]
        loop.call_soon_threadsafe(ended.set)
        thread.join(DEADLINE_S)


@pytest.fixture
def kubernetes(tmp_path: Path, certificate: Path) -> Iterator[RunningApiServer]:
    with running(tmp_path / "service-account", certificate) as server:
        yield server


def test_the_pod_of_a_busy_sidecar_gets_a_cost(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, kubernetes: RunningApiServer
) -> None:
    container.reply = held = Held()
    request_id = bucket.submit(queue)
    # With a request in flight before the first write, that write has its cost.
    with Sidecar({**async_settings(cloud, queue, bucket, container.port), **kubernetes.settings}) as sidecar:
        eventually(lambda: kubernetes.cost == "1", "the cost to be written")
        held.release.set()
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
        assert sidecar.metric("dequeuer_pod_deletion_cost") == 1
        sidecar.terminate()
        assert sidecar.wait() == 0
    assert {call.split(" ")[0] for call in kubernetes.server.calls} == {"PATCH"}


def test_a_missing_permission_is_one_line_and_no_request_fails(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, kubernetes: RunningApiServer
) -> None:
    kubernetes.server.status = 403
    with Sidecar({**async_settings(cloud, queue, bucket, container.port), **kubernetes.settings}) as sidecar:
        [line] = eventually(lambda: sidecar.events("deletion_cost_failing"), "the failure to be logged")
        assert "needs the verb patch on pods" in line["reason"]
        request_id = bucket.submit(queue)
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
        assert sidecar.metric('dequeuer_pod_deletion_cost_writes_total{result="failed"}') == 1


def test_outside_of_a_pod_it_is_bad_configuration(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    more = {"DEQUEUER_POD_DELETION_COST": "true", "DEQUEUER_SERVICE_ACCOUNT_PATH": "/nonexistent"}
    with Sidecar(async_settings(cloud, queue, bucket, container.port, **more)) as sidecar:
        assert sidecar.wait() == 2
    text = "\n".join(sidecar.lines)
    assert "KUBERNETES_SERVICE_HOST" in text
    assert "/nonexistent/token" in text


def test_the_pod_of_a_proxy_gets_a_cost_too(container: Container, kubernetes: RunningApiServer) -> None:
    settings = {
        **kubernetes.settings,
        "DEQUEUER_PROXY_HOST": "127.0.0.1",
        "DEQUEUER_PROXY_PORT": str(free_port()),
        "DEQUEUER_USER_PORT": str(container.port),
        "DEQUEUER_MAX_CONCURRENCY": "1",
        "DEQUEUER_MAX_QUEUE_LENGTH": "1",
        "DEQUEUER_SHUTDOWN_DELAY": "0",
    }
    with Sidecar(settings, "proxy") as proxy:
        eventually(lambda: kubernetes.cost == "0", "the cost to be written")
        proxy.terminate()
        assert proxy.wait() == 0
