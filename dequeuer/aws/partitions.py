"""Partitions of AWS: what ARNs call them, and the domains of their endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class _Partition(NamedTuple):
    """A partition, as its ARNs name it, and the domain of its endpoints."""

    name: str
    domain: str


_STANDARD: Final = _Partition("aws", "amazonaws.com")
_OTHERS: Final[Mapping[str, _Partition]] = {
    "cn-": _Partition("aws-cn", "amazonaws.com.cn"),
    "us-gov-": _Partition("aws-us-gov", "amazonaws.com"),
    "us-iso-": _Partition("aws-iso", "c2s.ic.gov"),
    "us-isob-": _Partition("aws-iso-b", "sc2s.sgov.gov"),
    "us-isof-": _Partition("aws-iso-f", "csp.hci.ic.gov"),
    "eu-isoe-": _Partition("aws-iso-e", "cloud.adc-e.uk"),
    "eusc-": _Partition("aws-eusc", "amazonaws.eu"),
}
"""By the beginning of the names of their regions."""


def domain(region: str) -> str:
    """Return the domain of the endpoints in a region."""
    return _of(region).domain


def partition(region: str) -> str:
    """Return the partition that the ARNs of a region name."""
    return _of(region).name


def _of(region: str) -> _Partition:
    return next((one for start, one in _OTHERS.items() if region.startswith(start)), _STANDARD)
