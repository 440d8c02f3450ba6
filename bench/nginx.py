"""nginx as store and container, with canned responses. The queue is always `canned`: nginx cannot count or wait."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench.certificates import Certificates
from bench.child import BenchError, child, stop, tail, wait_for
from bench.servers import Servers
from bench.sidecar import free_port
from bench.wire_format import (
    BEGUN,
    BUCKET,
    E_TAG,
    HEADERS_JSON,
    LAST_MODIFIED,
    LIFECYCLE,
    LISTING,
    deleted,
    json_text,
)

MISSING = (
    "--servers nginx: nginx is not on PATH; install it (Debian: apt-get install nginx-light, then stop its service), "
    "or take --servers own"
)
_CONFIGURATION = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx-errors.log warn;
events {{ worker_connections 1024; }}
http {{
    log_format operations '$operation $status';
    access_log {folder}/nginx-access.log operations buffer=64k flush=50ms;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    client_max_body_size 0;
    client_body_buffer_size 1m;
    keepalive_requests 100000000;
    keepalive_timeout 75s;
    large_client_header_buffers 8 32k;
    server_tokens off;
    etag off;
    tcp_nodelay on;
    map "$request_method $args" $operation {{
        default unexpected;
        "GET " GetObject;
        "PUT " PutObject;
        "DELETE " DeleteObject;
        "POST " POST;
        "~^POST delete" DeleteObjects;
        "~^GET .*list-type" ListObjectsV2;
        "~^GET lifecycle" GetBucketLifecycleConfiguration;
        "~^POST uploads" CreateMultipartUpload;
        "~^DELETE uploadId=" AbortMultipartUpload;
    }}
    server {{
        listen 127.0.0.1:{http};
        listen 127.0.0.1:{https} ssl;
        ssl_certificate {certificates.chain};
        ssl_certificate_key {certificates.key};
        ssl_session_cache shared:bench:1m;
        default_type application/octet-stream;
        add_header x-amz-request-id 4442587FB7D0A2F9;
        add_header x-amz-id-2 q0pPzZ5Y1cVdK7w3xN9bT2mLr8uHfJ4sGkAeXyWvUtSrQpOnMlKjIhGfEdCbA9876543210zyxw=;
        add_header ETag '{e_tag}';
        add_header Last-Modified '{last_modified}';
        location / {{
            # 201, not 200: with 200 nginx would evaluate `If-None-Match: *` and respond with 304.
            if ($operation = PutObject) {{ return 201; }}
            if ($operation = DeleteObject) {{ return 204; }}
            # At start-up the sidecar starts an upload and aborts it, to prove that it may write.
            if ($operation = CreateMultipartUpload) {{ return 200 '{begun}'; }}
            if ($operation = AbortMultipartUpload) {{ return 204; }}
            return 404;
        }}
        location ~ /payload$ {{
            if ($operation = DeleteObject) {{ return 204; }}
            return 200 '{payload}';
        }}
        location ~ /headers\\.json$ {{
            default_type application/json;
            if ($operation = DeleteObject) {{ return 204; }}
            return 200 '{headers}';
        }}
        location ~ ^/{bucket}/?$ {{
            default_type application/xml;
            if ($operation = DeleteObjects) {{ return 200 '{deleted}'; }}
            if ($operation = ListObjectsV2) {{ return 200 '{listing}'; }}
            if ($operation = GetBucketLifecycleConfiguration) {{ return 200 '{lifecycle}'; }}
            return 400;
        }}
    }}
    server {{
        listen 127.0.0.1:{container};
        default_type application/json;
        location / {{ return 200 '{result}'; }}
    }}
}}
"""


class AccessLog:
    """A `Counter` of the requests in the access log of nginx."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._from = 0

    def reset(self) -> None:
        """Wait until earlier requests are in the log, then count from zero."""
        self._settle()
        self._from = self._file.stat().st_size

    def counts(self) -> Mapping[str, int]:
        """Return requests by operation.

        Raises:
            BenchError: nginx refused a request or does not know it.
        """
        self._settle()
        with self._file.open("rb") as log:
            log.seek(self._from)
            return operations(log.read().decode())

    def _settle(self) -> None:
        # nginx flushes its log every 50 ms.
        size = -1
        while size != (size := self._file.stat().st_size):
            time.sleep(0.12)


def operations(log: str) -> Counter[str]:
    """Count the lines of an access log. Raises `BenchError` for a request that was refused or is unknown."""
    lines = Counter(log.splitlines())
    wrong = [line for line in lines if not line.endswith((" 200", " 201", " 204")) or line.startswith("unexpected")]
    if wrong:
        raise BenchError(f"nginx got requests that it does not know: {', '.join(wrong)}")
    counted: Counter[str] = Counter()
    for line, count in lines.items():
        counted[line.partition(" ")[0]] += count
    return counted


@contextmanager
def nginx(folder: Path, own: Servers, certificates: Certificates) -> Iterator[Servers]:
    """Run nginx on 127.0.0.1 until the end of the block; all its files are in `folder`."""
    program = shutil.which("nginx")
    if program is None:
        raise BenchError(MISSING)
    ports = {"s3_http": free_port(), "s3_https": free_port(), "container": free_port()}
    configuration = folder / "nginx.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            folder=folder,
            certificates=certificates,
            http=ports["s3_http"],
            https=ports["s3_https"],
            container=ports["container"],
            bucket=BUCKET,
            e_tag=E_TAG,
            last_modified=LAST_MODIFIED,
            payload="x" * 1024,
            headers=HEADERS_JSON.decode(),
            begun=BEGUN,
            deleted=deleted(["payload", "headers.json"]),
            listing=LISTING,
            lifecycle=LIFECYCLE,
            result=json_text(1024).decode(),
        ),
        encoding="utf-8",
    )
    log = folder / "nginx.log"
    pid_file, access = folder / "nginx.pid", folder / "nginx-access.log"
    command = [program, "-p", str(folder), "-c", str(configuration), "-e", str(folder / "nginx-errors.log")]
    with child(command, log) as process:
        wait_for(lambda: (pid_file.is_file() and access.is_file()) or None, "nginx", process, log, 30)
        try:
            yield replace(own, name="nginx", ports=replace(own.ports, **ports), other_counter=AccessLog(access))
        finally:
            stop(process)
            if errors := tail(folder / "nginx-errors.log").strip():
                log.write_text(errors, encoding="utf-8")
