"""A gateway with APIs that have jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import ClientSession, web

from dequeuer.gateway.endpoints import Endpoint, Endpoints
from dequeuer.gateway.job_service import Cluster, Jobs
from dequeuer.gateway.routes import make_app, make_runner
from dequeuer.jobs.deployed_api import DeployedApi
from dequeuer.jobs.layout import JobKind
from dequeuer.sinks.base import Listing
from tests.fakes import MemoryStore
from tests.gateway.fakes import URL, FakeQueue, Store, make_gateway
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
KINDS = {api.name: str(api.kind) for api in APIS} | {"text": "AsyncAPI"}


class FakeBuckets:
    """Buckets by name; one that is not there is refused by S3."""

    def __init__(self) -> None:
        self.stores: dict[str, MemoryStore] = {}

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
            queues=self.counts,
            apis={api.name: api for api in apis},
            kinds=KINDS if apis else {},
            cluster=Cluster(uid="uid", version="0.42.1"),
        )

    @asynccontextmanager
    async def served(
        self, apis: list[DeployedApi] = APIS, queues: dict[str, str] | None = None
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
        )
        runner = make_runner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        try:
            async with ClientSession(f"http://{host}:{port}") as session:
                yield session
        finally:
            await runner.cleanup()
