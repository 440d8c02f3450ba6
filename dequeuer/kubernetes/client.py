"""Calls to the API server, over the HTTP client of this project. Each has a connection of its own: there are few."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from dequeuer import __version__
from dequeuer.files.reading import UnreadableError
from dequeuer.http.errors import HttpTransportError
from dequeuer.http.origin import Origin
from dequeuer.http.pool import Pool, Reply
from dequeuer.kubernetes.base import KubernetesDeniedError, KubernetesUnavailableError, KubernetesVersion
from dequeuer.kubernetes.in_cluster import InCluster, read_text

TIMEOUT_S: Final = 5.0
"""For a whole call: files, connection, response."""
MAX_RESPONSE_BYTES: Final = 4 * 1024 * 1024
"""An object of Kubernetes has 1.5 MiB at most."""
_JSON: Final = "application/json"
_METADATA_ONLY: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
"""The response to a patch would be the whole pod."""
_MERGE_PATCH: Final = "application/merge-patch+json"
_TEMPORARY: Final = frozenset({408, 409, 425, 429})
"""Statuses of 4xx that a retry mends."""


class _Call(NamedTuple):
    """One call. `what` names it for errors, `verb` is the permission that it needs."""

    method: str
    path: str
    what: str
    verb: str = ""
    accept: str = _JSON
    body: bytes = b""


class KubernetesClient:
    """`PodApi`, in the cluster that this pod runs in.

    Args:
        cluster: where the API server is.
    """

    def __init__(self, cluster: InCluster) -> None:
        self._cluster = cluster
        self._pod = f"/api/v1/namespaces/{cluster.namespace}/pods/{cluster.pod}"
        self._what = f"the pod {cluster.pod} in the namespace {cluster.namespace}"

    async def read_version(self) -> KubernetesVersion:
        """Return the version of the API server."""
        what = "reading the version of Kubernetes"
        found = _object(await self._send(_Call("GET", "/version", what)), what)
        # Some providers add a sign: "29+".
        numbers = [re.match(r"[0-9]{1,6}", str(found.get(name, ""))) for name in ("major", "minor")]
        if numbers[0] is None or numbers[1] is None:
            raise KubernetesUnavailableError(f"{what}: a response without a version")
        return KubernetesVersion(major=int(numbers[0][0]), minor=int(numbers[1][0]))

    async def read_pod(self) -> Mapping[str, Any]:
        """Return this pod."""
        what = f"reading {self._what}"
        return _object(await self._send(_Call("GET", self._pod, what, "get")), what)

    async def patch_pod(self, patch: Mapping[str, object]) -> None:
        """Change this pod."""
        body = json.dumps(patch, separators=(",", ":")).encode()
        call = _Call("PATCH", self._pod, f"changing {self._what}", "patch", accept=_METADATA_ONLY, body=body)
        await self._send(call)

    async def _send(self, call: _Call) -> Reply:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                reply = await self._exchange(call)
        except TimeoutError:
            raise KubernetesUnavailableError(f"{call.what}: no response within {TIMEOUT_S:g} s") from None
        except HttpTransportError as error:
            raise KubernetesUnavailableError(f"{call.what}: {error}") from error
        if 200 <= reply.status < 300:
            return reply
        if reply.status in _TEMPORARY or not 400 <= reply.status < 500:
            raise KubernetesUnavailableError(f"{call.what}: the API server responds with {reply.status}")
        raise KubernetesDeniedError(f"{call.what}: {self._reason(reply.status, call)}", reply.status)

    async def _exchange(self, call: _Call) -> Reply:
        # In a thread: the files are small, and in memory as a rule, but certificates take milliseconds.
        token, tls = await asyncio.to_thread(self._secrets, call.what)
        origin = Origin(host=self._cluster.host, port=self._cluster.port, tls=tls)
        lines = [
            f"{call.method} {call.path} HTTP/1.1",
            f"host: {origin.authority}",
            f"user-agent: dequeuer/{__version__}",
            f"accept: {call.accept}",
            f"authorization: Bearer {token}",
        ]
        if call.body:
            lines += [f"content-type: {_MERGE_PATCH}", f"content-length: {len(call.body)}"]
        head = "".join(f"{line}\r\n" for line in lines) + "\r\n"
        pool = Pool(origin, connect_timeout_s=TIMEOUT_S)
        try:
            return await pool.exchange((head.encode(), call.body), timeout_s=TIMEOUT_S, limit=MAX_RESPONSE_BYTES)
        finally:
            await pool.close()

    def _secrets(self, what: str) -> tuple[str, ssl.SSLContext]:
        """Return token and certificates as they are now. Blocks."""
        token_file, ca_file = self._cluster.files / "token", self._cluster.files / "ca.crt"
        try:
            token = read_text(token_file)
        except UnreadableError as error:
            raise KubernetesUnavailableError(f"{what}: {token_file} {error}") from None
        if not token or not token.isprintable():
            raise KubernetesUnavailableError(f"{what}: {token_file} holds no token")
        # Not `create_default_context`: from Python 3.13 on it refuses certificates that lack an extension which those
        # of many clusters lack.
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            tls.load_verify_locations(ca_file)
        except OSError as error:  # also errors of SSL
            reason = error.strerror or type(error).__name__
            raise KubernetesUnavailableError(f"{what}: {ca_file} cannot be read: {reason}") from None
        return token, tls

    def _reason(self, status: int, call: _Call) -> str:
        match status:
            case 401:
                return f"the API server does not accept the token in {self._cluster.files / 'token'} (401)"
            case 403 if call.verb:
                return f"not allowed (403): the service account of the pod needs the verb {call.verb} on pods"
            case 404 if call.verb:
                return "there is no such pod (404); set DEQUEUER_POD_NAME from the field metadata.name"
            case _:
                return f"the API server refuses it ({status})"


def _object(reply: Reply, what: str) -> Mapping[str, Any]:
    try:
        found = json.loads(reply.body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise KubernetesUnavailableError(f"{what}: a response that is not a JSON object")
    return found
