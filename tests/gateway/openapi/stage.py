"""The application of a gateway with an API of each kind."""

from __future__ import annotations

from aiohttp import web

from dequeuer.gateway.access.gate import ANYONE, Access
from dequeuer.gateway.application import make_app
from dequeuer.gateway.dead_letters import DeadLetterQueues
from dequeuer.gateway.endpoints import Endpoint, Endpoints, Split, Target
from dequeuer.gateway.priorities import NO_PRIORITIES, Priorities
from dequeuer.gateway.queue_counts import QueueCounter
from dequeuer.gateway.realtime import Forwarder
from dequeuer.http.server import IdleLimit
from tests.gateway.dead_letters import FakeSqs, translate
from tests.gateway.fakes import URL, FakeQueue, Store, make_gateway
from tests.gateway.jobs import APIS, JobStage

ADDRESS = ("127.0.0.1", 1)
HELLO = Endpoint(api_name="hello", kind="RealtimeAPI", path="/v1/hello", address=ADDRESS)
ENDPOINTS = Endpoints(
    [
        Endpoint(api_name="text", kind="AsyncAPI", path="/v1/text"),
        HELLO,
        Endpoint(
            api_name="split",
            kind="TrafficSplitter",
            path="/split",
            split=Split(targets=(Target(api=HELLO, address=ADDRESS, weight=100),)),
        ),
        *(Endpoint(api_name=api.name, kind=api.kind, path=api.endpoint, job_api=api) for api in APIS),
    ]
)
QUEUES = {"text": URL}


def application(
    endpoints: Endpoints = ENDPOINTS,
    queues: dict[str, str] = QUEUES,
    access: Access = ANYONE,
    priorities: Priorities = NO_PRIORITIES,
) -> web.Application:
    """Return the application."""
    store = Store()
    return make_app(
        make_gateway(store, FakeQueue(store)),
        queues,
        endpoints=endpoints,
        jobs=JobStage().jobs(),
        dead_letters=DeadLetterQueues(FakeSqs(), translate),
        queue_counter=QueueCounter(FakeSqs(), translate),
        forwarder=Forwarder(IdleLimit(10)),
        access=access,
        priorities=priorities,
    )
