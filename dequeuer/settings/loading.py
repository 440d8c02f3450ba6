"""From command line, environment and cluster.yaml to the settings of each program. Calls no network."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from dequeuer.core.errors import ConfigurationError
from dequeuer.settings.cluster_file import is_absent
from dequeuer.settings.gateway import GatewaySettings
from dequeuer.settings.reader import Reader
from dequeuer.settings.sidecar import DEFAULT_CLUSTER_CONFIG, SHUTDOWN_GRACE_S, ApiKind, SidecarSettings
from dequeuer.settings.url_parsers import queue_region


def load_sidecar(
    argv: Sequence[str],
    environ: Mapping[str, str],
    *,
    cluster_config: str = DEFAULT_CLUSTER_CONFIG,
    check_probes: Callable[[str, int], object] | None = None,
) -> SidecarSettings:
    """Return the settings of the sidecar.

    Args:
        argv: the flags.
        environ: the variables.
        cluster_config: a file that is read when it exists and no other is named.
        check_probes: is called with the path of the probes and the user port; the `ConfigurationError` that it raises
            is reported together with the faults of the settings.

    Raises:
        ConfigurationError: with every fault.
    """
    reader = Reader("sidecar", argv, environ)
    _use_cluster_config(reader, cluster_config)
    kind: ApiKind | None = reader.get("api_kind")
    if kind is None:
        reader.require("async", "batch")
    else:
        reader.require(kind)
    if kind == "async" and reader.get("job_id") is not None:
        reader.faults.append(
            f"{reader.source('job_id')}: is for batch APIs, and the kind of this API is async; "
            f"remove it, or correct {reader.source('api_kind')}"
        )
    _check_ports(reader)
    _check_kms_key(reader)
    if check_probes is not None:
        _check_probes_file(reader, check_probes)
    computed = {
        "shutdown_grace_s": SHUTDOWN_GRACE_S[kind or "async"],
        "aws.region": queue_region(reader.get("queue_url") or ""),
        "log.format": _default_log_format(),
    }
    return reader.settings(SidecarSettings, computed)


def load_gateway(
    argv: Sequence[str],
    environ: Mapping[str, str],
    *,
    check_apis: Callable[[str, Mapping[str, str] | None], object] | None = None,
) -> GatewaySettings:
    """Return the settings of the gateway.

    Args:
        argv: the flags.
        environ: the variables.
        check_apis: is called with the path of the APIs and the queues, None if those are faulty; the
            `ConfigurationError` that it raises is reported together with the faults of the settings.

    Raises:
        ConfigurationError: with every fault.
    """
    reader = Reader("gateway", argv, environ)
    reader.require("gateway")
    _check_kms_key(reader)
    queues = reader.get("queues") or MappingProxyType({})
    regions = sorted({region for url in queues.values() if (region := queue_region(url))})
    if len(regions) > 1 and reader.get("aws.region") is None and not reader.is_faulty("aws.region"):
        reader.faults.append(
            f"{reader.source('aws.region')}: is missing, and the queues of DEQUEUER_QUEUES are in "
            f"{', '.join(regions)}; allowed: {reader.allowed('aws.region')}; set it"
        )
    region = regions[0] if regions else None
    if check_apis is not None:
        _check_apis_file(reader, None if reader.is_faulty("queues") else queues, check_apis)
    computed = {"queues": queues, "aws.region": region, "log.format": _default_log_format()}
    return reader.settings(GatewaySettings, computed)


def _use_cluster_config(reader: Reader, default_path: str) -> None:
    named = reader.get("cluster_config")
    if named is None and (reader.is_faulty("cluster_config") or is_absent(default_path)):
        return
    reader.use_file(named or default_path, reader.source("cluster_config"))


def _check_probes_file(reader: Reader, check: Callable[[str, int], object]) -> None:
    path, port = reader.get("probes_path"), reader.get("user_port")
    if path is None:
        return
    try:
        check(path, port or 1)  # a faulty port is not a fault of the probes
    except ConfigurationError as error:
        reader.faults += [f"{reader.source('probes_path')}: {fault}" for fault in error.faults]


def _check_apis_file(
    reader: Reader, queues: Mapping[str, str] | None, check: Callable[[str, Mapping[str, str] | None], object]
) -> None:
    path = reader.get("apis_path")
    if path is None:
        return
    try:
        check(path, queues)
    except ConfigurationError as error:
        reader.faults += [f"{reader.source('apis_path')}: {fault}" for fault in error.faults]


def _check_ports(reader: Reader) -> None:
    port = reader.get("user_port")
    if port is not None and port == reader.get("admin_port"):
        reader.faults.append(
            f"{reader.source('admin_port')}: {port} is the port of the container as well; "
            f"allowed: any port but that of {reader.source('user_port')}; change one of them"
        )


def _check_kms_key(reader: Reader) -> None:
    sse = reader.get("aws.s3_sse")
    is_kms = sse in {"aws:kms", "aws:kms:dsse"} or reader.is_faulty("aws.s3_sse")
    if reader.get("aws.s3_sse_kms_key_id") is not None and not is_kms:
        name = reader.source("aws.s3_sse")
        reader.faults.append(
            f"{reader.source('aws.s3_sse_kms_key_id')}: a KMS key is given, and {name} is {sse or 'not set'}; "
            f"allowed: with aws:kms or aws:kms:dsse only; remove it, or set {name}"
        )


def _default_log_format() -> str:
    return "console" if sys.stdout is not None and sys.stdout.isatty() else "json"
