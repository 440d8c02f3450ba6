"""Where the API server is, and who this pod is: what the kubelet gives to every container."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dequeuer.core.errors import ConfigurationError, quoted
from dequeuer.files.reading import UnreadableError, read_bounded

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the files of the service account are mounted."""
MAX_FILE_BYTES: Final = 1024 * 1024
"""Size of any of these files; the certificates are the largest."""
HOST, PORT = "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"
_POD_NAME: Final = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
_NAMESPACE: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HINT: Final = "set automountServiceAccountToken: true for the pod, or mount a projected token there"


@dataclass(frozen=True, slots=True, kw_only=True)
class InCluster:
    """The API server of the cluster, and this pod.

    Attributes:
        host: of the API server, an address or a name.
        port: of the API server.
        files: the folder with `token` and `ca.crt`. The kubelet replaces both, so they are read for each call.
        namespace: of this pod.
        pod: the name of this pod.
    """

    host: str
    port: int
    files: Path
    namespace: str
    pod: str


def find_in_cluster(environ: Mapping[str, str], pod: str | None = None, files: Path = SERVICE_ACCOUNT) -> InCluster:
    """Return where the API server is. Reads small files.

    Args:
        environ: of the process.
        pod: the name of this pod; None: `HOSTNAME`, which is the same unless the pod has a `hostname`, uses the network
            of its node, or has a name of more than 63 characters.
        files: the folder of the service account.

    Raises:
        ConfigurationError: something is missing; all of it is named.
    """
    faults: list[str] = []
    host, port = environ.get(HOST, ""), environ.get(PORT, "")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port):
        faults.append(f"{HOST}, {PORT}: {quoted(host)}, {quoted(port)}; the kubelet sets both, so this is no pod")
    name = pod or environ.get("HOSTNAME", "")
    if not re.fullmatch(_POD_NAME, name):
        faults.append(
            f"DEQUEUER_POD_NAME, HOSTNAME: {quoted(name)} is not the name of a pod; set DEQUEUER_POD_NAME from the "
            "field metadata.name"
        )
    namespace = _namespace(files, faults)
    missing = [file for file in (files / "token", files / "ca.crt") if not file.is_file()]
    faults += [f"{file}: there is no such file; {_HINT}" for file in missing]
    if faults:
        raise ConfigurationError(faults)
    return InCluster(host=host, port=int(port), files=files, namespace=namespace, pod=name)


def _namespace(files: Path, faults: list[str]) -> str:
    file = files / "namespace"
    try:
        namespace = read_text(file)
    except UnreadableError as error:
        faults.append(f"{file}: {error}; {_HINT}")
        return ""
    if not re.fullmatch(_NAMESPACE, namespace):
        faults.append(f"{file}: {quoted(namespace)} is not the name of a namespace")
    return namespace


def read_text(file: Path) -> str:
    """Return the text in a file of the service account. Blocks. Raises `UnreadableError`."""
    try:
        return read_bounded(str(file), MAX_FILE_BYTES).decode("ascii").strip()
    except UnicodeError:
        raise UnreadableError("cannot be read (it is not text)") from None
