"""The module that all containers of examples/project share."""

from __future__ import annotations

import email.message
import http.client
import importlib.util
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

from tests.integration.container import Container, Reply

PATH = Path(__file__).resolve().parents[2] / "examples" / "project" / "cluster.py"


@pytest.fixture(scope="module")
def cluster() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cluster", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def served(cluster: ModuleType, error: Exception) -> Iterator[str]:
    """Run its server with an `answer` that raises; yield the URL."""

    def answer(*_: object) -> object:
        raise error

    handler = type("Answers", (cluster.Handler,), {"answer": staticmethod(answer)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def of_another_api(status: int) -> urllib.error.HTTPError:
    return urllib.error.HTTPError("http://other/", status, "no", email.message.Message(), None)


def test_a_call_that_was_cut_off_in_the_middle_of_its_answer_is_made_again(cluster: ModuleType) -> None:
    with Container() as container:
        container.reply = lambda _: Reply(body=b'{"id": 7}', cut=3 if len(container.requests) == 1 else None)
        assert cluster.call(f"http://127.0.0.1:{container.port}/", {}) == {"id": 7}
        assert len(container.requests) == 2


@pytest.mark.parametrize(("status", "calls"), [(429, 2), (408, 2), (503, 2), (400, 1), (404, 1)])
def test_a_call_that_another_api_does_not_take_for_now_is_made_again(
    cluster: ModuleType, status: int, calls: int
) -> None:
    with Container() as container:
        container.reply = lambda _: Reply(status) if len(container.requests) == 1 else Reply(body=b'{"id": 7}')
        url = f"http://127.0.0.1:{container.port}/"
        if calls == 1:
            with pytest.raises(urllib.error.HTTPError) as refused:
                cluster.call(url, {})
            assert refused.value.code == status
            refused.value.close()
        else:
            assert cluster.call(url, {}) == {"id": 7}
        assert len(container.requests) == calls


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (KeyError("x"), 404),
        (of_another_api(400), 400),
        (of_another_api(404), 404),
        (of_another_api(429), 429),
        (of_another_api(408), 503),
        (of_another_api(502), 503),
        (http.client.IncompleteRead(b"{"), 503),
        (TimeoutError(), 503),
        (ValueError(), 503),
    ],
)
def test_what_another_api_does_not_accept_is_passed_on_and_other_failures_are_for_now(
    cluster: ModuleType, error: Exception, status: int
) -> None:
    with served(cluster, error) as url, pytest.raises(urllib.error.HTTPError) as answered:
        urllib.request.urlopen(url, timeout=60)  # noqa: S310 - loopback
    assert answered.value.code == status
    answered.value.close()
