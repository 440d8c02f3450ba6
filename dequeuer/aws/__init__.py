"""Signed requests to AWS: signatures, endpoints, credentials."""
