"""Subscribers that turn events into numbers: Prometheus and statsd."""

from dequeuer.metrics.combine import combine
from dequeuer.metrics.prometheus import Metrics
from dequeuer.metrics.statsd import Statsd

__all__ = ["Metrics", "Statsd", "combine"]
