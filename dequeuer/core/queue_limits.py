"""Limits of SQS that more than one layer needs."""

MAX_BATCH_SIZE = 10
"""Messages that one request can receive, and entries that one request can delete, release or renew."""
MAX_VISIBILITY_TIMEOUT_S = 43_200
"""12 hours: the longest visibility timeout. It is also the most that renewals can extend one receive of a message."""
MAX_RECEIVES = 1000
"""The largest `maxReceiveCount` of a redrive policy."""
