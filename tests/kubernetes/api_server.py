"""An API server of Kubernetes that has one pod: TLS, tokens, and JSON merge patches, on a real socket."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dequeuer.kubernetes.in_cluster import InCluster, find_in_cluster
from tests.tcp_server import tcp_server

NAMESPACE, POD, TOKEN = "models", "text-generator-6f9d7-x2x4z", "token-1"
PATH = f"/api/v1/namespaces/{NAMESPACE}/pods/{POD}"


@dataclass(slots=True, kw_only=True)
class ApiServer:
    """The server.

    Attributes:
        files: the folder of the service account, which the client reads.
        port: of 127.0.0.1.
        token: the one that is valid now.
        status: of every response, instead of what would be right; None: what is right.
        body: of every response, instead of what would be right; None: what is right.
        is_silent: whether requests are read and never responded to.
        pod: as it is now.
        calls: each method with its path, in order.
        fields: of the last request, by lower-case name.
    """

    files: Path
    port: int = 0
    token: str = TOKEN
    status: int | None = None
    body: bytes | None = None
    is_silent: bool = False
    pod: dict[str, Any] = field(default_factory=lambda: {"metadata": {"name": POD, "annotations": {"a": "b"}}})
    calls: list[str] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> Mapping[str, str]:
        """What the kubelet sets."""
        return {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(self.port),
            "HOSTNAME": POD,
        }

    @property
    def cluster(self) -> InCluster:
        """Where a client finds it."""
        return find_in_cluster(self.environ, files=self.files)

    @property
    def annotations(self) -> Mapping[str, str]:
        """Those of the pod."""
        found: Mapping[str, str] = self.pod["metadata"]["annotations"]
        return found

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Respond to the requests of one connection."""
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
            line, *fields = head.strip().split("\r\n")
            self.fields = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in fields)}
            sent = await reader.readexactly(int(self.fields.get("content-length", "0")))
            method, target, _ = line.split(" ")
            self.calls.append(f"{method} {target}")
            if self.is_silent:
                await asyncio.get_running_loop().create_future()
            status, body = self._respond(method, target, sent)
            writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))
            await writer.drain()

    def _respond(self, method: str, target: str, sent: bytes) -> tuple[int, bytes]:
        status, found = self._right(method, target, sent)
        body = json.dumps(found).encode() if self.body is None else self.body
        return status if self.status is None else self.status, body

    def _right(self, method: str, target: str, sent: bytes) -> tuple[int, object]:
        refusal = {"kind": "Status", "message": "a text of the server"}
        if self.fields.get("authorization") != f"Bearer {self.token}":
            return 401, refusal
        if (method, target) == ("GET", "/version"):
            return 200, {"major": "1", "minor": "29+", "gitVersion": "v1.29.3-eks"}
        if target != PATH or method not in ("GET", "PATCH"):
            return 404, refusal
        if method == "PATCH" and self.status is None:
            if self.fields["content-type"] != "application/merge-patch+json":
                return 415, refusal
            _merge(self.pod, json.loads(sent))
        return 200, self.pod


def _merge(into: dict[str, Any], patch: Mapping[str, Any]) -> None:
    """RFC 7396."""
    for name, value in patch.items():
        if value is None:
            into.pop(name, None)
        elif isinstance(value, dict):
            _merge(into.setdefault(name, {}), value)
        else:
            into[name] = value


def write_service_account(folder: Path, certificate: Path) -> None:
    """Write what the kubelet mounts. `certificate`: of the API server, in a file that may have its key, too."""
    folder.mkdir(exist_ok=True)
    (folder / "token").write_text(TOKEN, encoding="ascii")
    (folder / "namespace").write_text(NAMESPACE, encoding="ascii")
    pem = certificate.read_text(encoding="ascii")
    (folder / "ca.crt").write_text(pem[pem.index("-----BEGIN CERTIFICATE") :], encoding="ascii")


@asynccontextmanager
async def api_server(folder: Path, certificate: Path) -> AsyncIterator[ApiServer]:
    """Serve on 127.0.0.1. `certificate`: a file with key and certificate of that address."""
    write_service_account(folder, certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = ApiServer(files=folder)
    async with tcp_server(server.serve, ssl=context) as server.port:
        yield server
