"""A gateway with APIs that have jobs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession

from dequeuer.gateway.application import make_app
from dequeuer.gateway.endpoints import Endpoint, Endpoints
from dequeuer.gateway.job_service import Cluster, Jobs
from dequeuer.jobs.deployed_api import DeployedApi
from dequeuer.jobs.layout import JobKind
from dequeuer.jobs.output_buckets import OutputBuckets
from dequeuer.sinks.base import Listing, ObjectStore
from tests.fakes import MemoryStore
from tests.gateway.fakes import URL, FakeQueue, Store, make_gateway, serving
from tests.jobs.stage import DatedStore, FakeCounts


def job_api(name: str, kind: JobKind = "BatchAPI", endpoint: str = "") -> DeployedApi:
    return DeployedApi(
        name=name,
        kind=kind,
        endpoint=endpoint or f"/{name}",
        api_id="api-1",
        spec_id="spec-1",
        pod_id="pod-1",
        config={"name": name, "kind": kind},
    )


APIS = [job_api("sum"), job_api("mean", endpoint="/v1/mean"), job_api("train", "TaskAPI")]
SUBMISSION = {"workers": 2, "item_list": {"items": [1.0, "<a>"], "batch_size": 1}, "config": {"b": 1, "a": 2}}
KINDS = {api.name: str(api.kind) for api in APIS} | {"text": "AsyncAPI"}


class FakeBuckets:
    """Buckets by name; one that is not there is refused by S3."""

    def __init__(self) -> None:
        self.stores: dict[str, MemoryStore] = {}
        self.closed: list[MemoryStore] = []

    def add_once(self, bucket: str) -> MemoryStore:
        """Open a bucket, which may be empty."""
        return self.stores.setdefault(bucket, MemoryStore())

    async def close(self, store: ObjectStore) -> None:
        """Note which bucket was closed."""
        assert isinstance(store, MemoryStore)
        self.closed.append(store)

    def listing(self, bucket: str) -> Listing:
        if bucket not in self.stores:
            missing = MemoryStore()
            missing.refuse("list_page")
            return missing
        return self.stores[bucket]

    def add(self, bucket: str, *keys: str) -> MemoryStore:
        self.stores[bucket] = MemoryStore()
        self.stores[bucket].seed([(key, b"x") for key in keys])
        return self.stores[bucket]


class JobStage:
    """The parts of the gateway that a test looks at."""

    def __init__(self) -> None:
        self.store = DatedStore()
        self.buckets = FakeBuckets()
        self.counts = FakeCounts()
        self.is_draining = False

    def jobs(self, apis: list[DeployedApi] = APIS) -> Jobs:
        return Jobs(
            store=self.store,
            buckets=self.buckets,
            outputs=OutputBuckets("bucket", self.store, self.buckets.add_once, self.buckets.close),
            queues=self.counts,
            apis={api.name: api for api in apis},
            kinds=KINDS if apis else {},
            cluster=Cluster(uid="uid", version="0.42.1"),
        )

    @asynccontextmanager
    async def served(
        self,
        apis: list[DeployedApi] = APIS,
        queues: dict[str, str] | None = None,
        cors_origins: list[str] | None = None,
    ) -> AsyncIterator[ClientSession]:
        endpoints = Endpoints(
            Endpoint(api_name=api.name, kind=api.kind, path=api.endpoint, job_api=api) for api in apis
        )
        store = Store()
        is_draining: Callable[[], bool] = lambda: self.is_draining  # noqa: E731 - read when it is called
        app = make_app(
            make_gateway(store, FakeQueue(store)),
            {"text": URL} if queues is None else queues,
            is_draining,
            endpoints,
            self.jobs(apis),
            cors_origins=cors_origins,
        )
        async with serving(app) as session:
            yield session


async def call(http: ClientSession, method: str, path: str, body: Any = None) -> tuple[int, str, str]:
    """Return status, media type and text."""
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    async with http.request(method, path, data=data) as answer:
        return answer.status, answer.headers["Content-Type"], await answer.text()


async def error(http: ClientSession, method: str, path: str, body: Any = None) -> tuple[int, str, str]:
    """Return status, kind and message of an error in Cortex's form."""
    status, media_type, text = await call(http, method, path, body)
    assert media_type == "application/json"
    assert text.endswith("}\n")
    fields = json.loads(text)
    assert list(fields)[:2] == ["kind", "message"]
    if "faults" in fields:
        assert fields["faults"][0] == {"kind": fields["kind"], "message": fields["message"]}
    return status, fields["kind"], fields["message"]


async def problem(http: ClientSession, method: str, path: str) -> tuple[int, str]:
    """Return status and detail of an error in our form."""
    status, media_type, text = await call(http, method, path)
    assert media_type == "application/problem+json"
    fields = json.loads(text)
    assert fields["status"] == status
    return status, fields["detail"]
