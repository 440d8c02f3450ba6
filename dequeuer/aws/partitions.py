"""Domains of AWS endpoints by partition."""

from __future__ import annotations

_PARTITIONS = {
    "cn-": "amazonaws.com.cn",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
    "eu-isoe-": "cloud.adc-e.uk",
    "eusc-": "amazonaws.eu",
}


def domain(region: str) -> str:
    """Return the domain of the endpoints in a region."""
    return next((name for start, name in _PARTITIONS.items() if region.startswith(start)), "amazonaws.com")
