"""The programs that are compared, each between the raw client and the canned container."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from bench.child import BenchError, child, wait_for
from bench.proxy import wire
from bench.sidecar import bytecode, free_port

Name = Literal["dequeuer", "floor", "aiohttp", "nginx", "starlette"]
CONCURRENCY: Final = 2048
"""More than the streams that are opened at a time."""
START_LIMIT_S: Final = 30.0
_NGINX: Final = """
daemon off;
master_process off;
worker_processes 1;
worker_rlimit_nofile 24000;
pid {folder}/proxy-nginx.pid;
error_log {folder}/proxy-nginx-errors.log warn;
events {{ worker_connections 24000; }}
http {{
    access_log off;
    client_body_temp_path {folder}/proxy-nginx-body;
    proxy_temp_path {folder}/proxy-nginx-proxy;
    fastcgi_temp_path {folder}/proxy-nginx-fastcgi;
    uwsgi_temp_path {folder}/proxy-nginx-uwsgi;
    scgi_temp_path {folder}/proxy-nginx-scgi;
    client_max_body_size 0;
    keepalive_requests 100000000;
    keepalive_timeout 75s;
    upstream container {{ server 127.0.0.1:{container}; keepalive 2048; keepalive_requests 100000000; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://container;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_buffering off;
            proxy_request_buffering off;
        }}
    }}
}}
"""
_MODULES: Final[Mapping[Name, str]] = {
    "floor": "bench.proxy.floor",
    "aiohttp": "bench.proxy.usual",
    "starlette": "bench.proxy.starlette_httpx",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A running program.

    Attributes:
        name: its name; `direct`: the container itself, without a proxy.
        port: where it accepts requests.
        pid: its process; 0 for the container itself.
    """

    name: str
    port: int
    pid: int


def known(servers: str) -> tuple[Name, ...]:
    """Return the programs that are compared; when the servers of the run are nginx, more of them."""
    usual: tuple[Name, ...] = ("dequeuer", "floor", "aiohttp")
    return (*usual, "nginx", "starlette") if servers == "nginx" else usual


@contextmanager
def container(folder: Path) -> Iterator[Subject]:
    """Run the canned container until the end of the block."""
    log = folder / "proxy-container.log"
    command = [sys.executable, "-m", "bench.proxy.container"]
    with child(command, log, bytecode(folder), stdout=subprocess.PIPE) as process:
        line = process.stdout.readline() if process.stdout is not None else b""
        if not line:
            raise BenchError(f"the canned container did not start:\n{log.read_text(errors='replace')}")
        yield Subject(name="direct", port=int(line), pid=0)


@contextmanager
def running(name: Name, behind: Subject, folder: Path) -> Iterator[Subject]:
    """Run a program until the end of the block."""
    port, log = free_port(), folder / f"proxy-{name}.log"
    command, settings = _start(name, port, behind.port, folder)
    with child(command, log, {**bytecode(folder), **settings}) as process:
        wait_for(lambda: _answers(port) or None, f"{name} as a proxy", process, log, START_LIMIT_S)
        yield Subject(name=name, port=port, pid=process.pid)


def _start(name: Name, port: int, container_port: int, folder: Path) -> tuple[Sequence[str], Mapping[str, str]]:
    if name == "dequeuer":
        return [sys.executable, "-m", "dequeuer", "proxy"], {
            "DEQUEUER_PROXY_HOST": "127.0.0.1",
            "DEQUEUER_PROXY_PORT": str(port),
            "DEQUEUER_ADMIN_HOST": "127.0.0.1",
            "DEQUEUER_ADMIN_PORT": str(free_port()),
            "DEQUEUER_USER_PORT": str(container_port),
            "DEQUEUER_MAX_CONCURRENCY": str(CONCURRENCY),
            "DEQUEUER_MAX_QUEUE_LENGTH": "100",
            "DEQUEUER_MAX_CONNECTIONS": "12000",
            "DEQUEUER_PROBES_PATH": str(folder / "no-probes.json"),
            "DEQUEUER_LOG_FORMAT": "json",
        }
    if name == "nginx":
        configuration = folder / "proxy-nginx.conf"
        configuration.write_text(_NGINX.format(folder=folder, port=port, container=container_port), encoding="utf-8")
        errors = str(folder / "proxy-nginx-errors.log")
        return [shutil.which("nginx") or name, "-p", str(folder), "-c", str(configuration), "-e", errors], {}
    return [sys.executable, "-m", _MODULES[name], str(port), str(container_port)], {}


def _answers(port: int) -> bool:
    """Return whether a request is answered with success."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as sock:
            sock.sendall(wire.predict())
            return sock.recv(64 * 1024)[9:12] == b"200"
    except OSError:
        return False
