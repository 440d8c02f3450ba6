"""nginx as a reverse proxy: what it makes of the same bytes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.servers import free_port, server

_CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_header_timeout 3s;
    client_body_timeout 3s;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{container};
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_set_header Host $http_host;
            proxy_set_header Connection "";
        }}
    }}
}}
"""


def is_installed() -> bool:
    """Whether nginx can be run."""
    return _command() is not None


def _command() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


@contextmanager
def nginx(folder: Path, container: int) -> Iterator[int]:
    """Run nginx before a container until the end of the block; yield its port."""
    command, port = _command(), free_port()
    assert command is not None
    configuration = folder / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder, port=port, container=container))
    log = folder / "error.log"  # of what it says before it has read its configuration
    with server([command, "-e", str(log), "-c", str(configuration)], {}, folder / "nginx.log", port):
        yield port
