"""The configuration of APIs: Cortex's cortex.yaml, as typed values.

Importing this package imports pydantic (about 20 MiB): the sidecar never does.
"""

from dequeuer.apis.kinds import Api, AsyncApi, BatchApi, RealtimeApi, TaskApi, TrafficSplitter
from dequeuer.apis.loading import Apis, load_apis, parse_apis

__all__ = [
    "Api",
    "Apis",
    "AsyncApi",
    "BatchApi",
    "RealtimeApi",
    "TaskApi",
    "TrafficSplitter",
    "load_apis",
    "parse_apis",
]
