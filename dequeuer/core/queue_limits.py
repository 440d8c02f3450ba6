"""Limits of SQS that more than one layer has to know."""

MAX_BATCH_SIZE = 10
"""Messages that one request receives, entries that one request deletes, releases or renews."""
MAX_VISIBILITY_TIMEOUT_S = 43_200
"""12 hours: the longest visibility timeout, and the time after which a receipt ends, whatever is renewed."""
