"""From command line, environment and cluster.yaml to the settings of each command. Touches no network."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from dequeuer.core.errors import ConfigurationError
from dequeuer.settings import options_gateway as gateway
from dequeuer.settings import options_shared as shared
from dequeuer.settings import options_sidecar as sidecar
from dequeuer.settings.cluster_file import is_absent
from dequeuer.settings.model import AwsSettings, GatewaySettings, LogFormat, LogSettings, SidecarSettings
from dequeuer.settings.places import queue_region
from dequeuer.settings.reading import Reading
from dequeuer.sinks.protection import ObjectProtection


def load_sidecar(
    argv: Sequence[str],
    environ: Mapping[str, str],
    *,
    cluster_config: str = sidecar.DEFAULT_CLUSTER_CONFIG,
    check_probes: Callable[[str, int], object] | None = None,
) -> SidecarSettings:
    """Return the settings of the sidecar.

    Args:
        argv: the flags.
        environ: the variables.
        cluster_config: a file that is read when it is there and none is named.
        check_probes: is called with the path of the probes and the user port; the `ConfigurationError` that it raises
            is told together with the faults of the settings.

    Raises:
        ConfigurationError: with every fault.
    """
    reading = Reading("sidecar", argv, environ)
    _use_cluster_config(reading, cluster_config)
    _check_sidecar(reading)
    _check_protection(reading)
    if check_probes is not None:
        _check_probes_file(reading, check_probes)
    reading.finish()
    api_kind, queue_url = reading.value(sidecar.API_KIND), reading.value(sidecar.QUEUE)
    grace_s = reading.get(sidecar.SHUTDOWN_GRACE)
    return SidecarSettings(
        api_kind=api_kind,
        api_name=reading.value(sidecar.API_NAME),
        queue_url=queue_url,
        cluster_uid=reading.get(shared.CLUSTER_UID) or "",
        bucket=reading.get(sidecar.SIDECAR_BUCKET) or "",
        job_id=reading.get(sidecar.JOB_ID) or "",
        user_host=reading.get(sidecar.USER_HOST),
        user_port=reading.value(sidecar.USER_PORT),
        container_keepalive=reading.value(sidecar.CONTAINER_KEEPALIVE),
        admin_hosts=reading.value(sidecar.ADMIN_HOST),
        admin_port=reading.value(sidecar.ADMIN_PORT),
        workers=reading.value(sidecar.WORKERS),
        probes_path=reading.value(sidecar.PROBES_PATH),
        statsd_address=reading.get(sidecar.STATSD_ADDRESS),
        request_timeout_s=reading.value(sidecar.REQUEST_TIMEOUT),
        max_attempts=reading.value(sidecar.MAX_ATTEMPTS),
        retry_statuses=reading.value(sidecar.RETRY_STATUSES),
        visibility_timeout_s=reading.value(sidecar.VISIBILITY_TIMEOUT),
        shutdown_grace_s=sidecar.SHUTDOWN_GRACE_S[api_kind] if grace_s is None else grace_s,
        result_retention_days=reading.value(sidecar.RESULT_RETENTION),
        max_result_bytes=reading.value(sidecar.MAX_RESULT_BYTES),
        poll_wait_s=reading.value(sidecar.POLL_WAIT),
        in_progress_after_s=reading.value(sidecar.IN_PROGRESS_AFTER),
        completion_delay_s=reading.value(sidecar.COMPLETION_DELAY),
        aws=_aws(reading, queue_region(queue_url)),
        aws_client=reading.value(shared.AWS_CLIENT),
        log=_log(reading),
    )


def load_gateway(argv: Sequence[str], environ: Mapping[str, str]) -> GatewaySettings:
    """Return the settings of the gateway.

    Raises:
        ConfigurationError: with every fault.
    """
    reading = Reading("gateway", argv, environ)
    reading.require("gateway")
    _check_protection(reading)
    queues = reading.get(gateway.GATEWAY_QUEUES) or MappingProxyType({})
    regions = sorted({region for url in queues.values() if (region := queue_region(url))})
    if len(regions) > 1 and reading.get(shared.REGION_NAME) is None and not reading.is_faulty(shared.REGION_NAME):
        reading.faults.append(
            f"{shared.REGION_NAME.title}: is missing, and the queues of DEQUEUER_QUEUES are in {', '.join(regions)}; "
            f"allowed: {shared.REGION_NAME.parser.allowed}; set it"
        )
    reading.finish()
    return GatewaySettings(
        bucket=reading.value(gateway.GATEWAY_BUCKET),
        cluster_uid=reading.value(shared.CLUSTER_UID),
        hosts=reading.value(gateway.GATEWAY_HOST),
        port=reading.value(gateway.GATEWAY_PORT),
        shutdown_delay_s=reading.value(gateway.SHUTDOWN_DELAY),
        queues=queues,
        max_payload_bytes=reading.value(gateway.MAX_PAYLOAD_BYTES),
        inline_bytes=reading.value(gateway.INLINE_BYTES),
        aws=_aws(reading, regions[0] if regions else None),
        aws_client=reading.value(shared.AWS_CLIENT),
        log=_log(reading),
    )


def _use_cluster_config(reading: Reading, default_path: str) -> None:
    path = reading.get(sidecar.CLUSTER_CONFIG)
    if path is not None:
        reading.use_file(path, reading.source(sidecar.CLUSTER_CONFIG))
    elif not reading.is_faulty(sidecar.CLUSTER_CONFIG) and not is_absent(default_path):
        reading.use_file(default_path, sidecar.CLUSTER_CONFIG.title)


def _check_probes_file(reading: Reading, check: Callable[[str, int], object]) -> None:
    path, port = reading.get(sidecar.PROBES_PATH), reading.get(sidecar.USER_PORT)
    if path is None:
        return
    try:
        check(path, port or 1)  # a port that is faulty itself is no fault of the probes
    except ConfigurationError as error:
        reading.faults += [f"{reading.source(sidecar.PROBES_PATH)}: {fault}" for fault in error.faults]


def _check_sidecar(reading: Reading) -> None:
    kind = reading.get(sidecar.API_KIND)
    if kind is None:
        reading.require("async", "batch")
    else:
        reading.require(kind)
    if kind == "async" and reading.get(sidecar.JOB_ID) is not None:
        reading.faults.append(
            f"{reading.source(sidecar.JOB_ID)}: is for batch APIs, and the kind of this API is async; "
            f"remove it, or correct {reading.source(sidecar.API_KIND)}"
        )
    port = reading.get(sidecar.USER_PORT)
    if port is not None and port == reading.get(sidecar.ADMIN_PORT):
        reading.faults.append(
            f"{reading.source(sidecar.ADMIN_PORT)}: {port} is the port of the container as well; "
            f"allowed: any port but that of {reading.source(sidecar.USER_PORT)}; change one of them"
        )


def _check_protection(reading: Reading) -> None:
    if reading.get(shared.S3_SSE_KMS_KEY_ID) is None or reading.is_faulty(shared.S3_SSE):
        return
    sse = reading.get(shared.S3_SSE)
    if sse not in ("aws:kms", "aws:kms:dsse"):
        reading.faults.append(
            f"{reading.source(shared.S3_SSE_KMS_KEY_ID)}: a KMS key is given, and {shared.S3_SSE.title} is "
            f"{sse or 'not set'}; allowed: with aws:kms or aws:kms:dsse only; remove it, or set {shared.S3_SSE.title}"
        )


def _aws(reading: Reading, region: str | None) -> AwsSettings:
    return AwsSettings(
        region=reading.get(shared.REGION_NAME) or region,
        endpoint_url=reading.get(shared.ENDPOINT_URL),
        endpoint_url_sqs=reading.get(shared.ENDPOINT_URL_SQS),
        endpoint_url_s3=reading.get(shared.ENDPOINT_URL_S3),
        protection=ObjectProtection(
            sse=reading.get(shared.S3_SSE),
            sse_kms_key_id=reading.get(shared.S3_SSE_KMS_KEY_ID),
            bucket_owner=reading.get(shared.S3_BUCKET_OWNER),
        ),
    )


def _log(reading: Reading) -> LogSettings:
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    by_default: LogFormat = "console" if is_terminal else "json"
    return LogSettings(level=reading.value(shared.LOG_LEVEL), format=reading.get(shared.LOG_FORMAT) or by_default)
