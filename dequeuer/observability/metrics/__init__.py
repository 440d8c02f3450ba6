"""Observers that count events: Prometheus and StatsD."""

from dequeuer.observability.metrics.combine import combine
from dequeuer.observability.metrics.prometheus import Metrics
from dequeuer.observability.metrics.statsd import Statsd

__all__ = ["Metrics", "Statsd", "combine"]
