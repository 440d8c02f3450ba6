"""Measures the whole sidecar process, and compares it with a floor: a minimal client with the same servers."""
