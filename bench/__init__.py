"""Measures the sidecar as a whole process, beside a floor of raw protocol that asks the same servers."""
