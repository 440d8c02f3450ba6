"""Probes of the container, and the readiness that follows from them."""
