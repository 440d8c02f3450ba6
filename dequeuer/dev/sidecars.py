"""The sidecars of the pods of a cortex.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from dequeuer.apis import AsyncApi, RealtimeApi
from dequeuer.dev.pod import MakeSidecar
from dequeuer.dev.process_specs import ProcessSpecs
from dequeuer.process.child_process import ProcessSpec


def async_sidecar(specs: ProcessSpecs, api: AsyncApi, queue_url: str, version: str) -> MakeSidecar:
    """Return how to make the sidecar of an AsyncAPI. `version`: of Cortex."""
    own = {
        "DEQUEUER_QUEUE_URL": queue_url,
        "DEQUEUER_WORKERS": str(api.pod.max_concurrency),
        "CORTEX_VERSION": version,
    }
    return partial(_merged, specs.sidecar, own)


def realtime_sidecar(specs: ProcessSpecs, api: RealtimeApi, address: tuple[str, int]) -> MakeSidecar:
    """Return how to make the proxy of a RealtimeAPI. `address`: that it listens on."""
    host, port = address
    own = {
        "DEQUEUER_PROXY_HOST": host,
        "DEQUEUER_PROXY_PORT": str(port),
        "DEQUEUER_MAX_CONCURRENCY": str(api.pod.max_concurrency),
        "DEQUEUER_MAX_QUEUE_LENGTH": str(api.pod.max_queue_length),
    }
    return partial(_merged, specs.proxy, own)


def _merged(make: MakeSidecar, own: Mapping[str, str], name: str, common: Mapping[str, str]) -> ProcessSpec:
    return make(name, {**common, **own})
