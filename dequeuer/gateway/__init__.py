"""The HTTP API for clients of async APIs: submits requests, reports their status, returns results."""
