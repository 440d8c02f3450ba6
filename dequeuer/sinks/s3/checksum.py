"""Checksums: the one that goes with every body, and the check of objects that are read."""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64encode
from collections.abc import Callable
from typing import Final, Protocol

from dequeuer.core.errors import StoreUnavailableError

CRC32: Final = "x-amz-checksum-crc32"
REQUEST_CHECKSUM: Final = ("x-amz-checksum-mode", "ENABLED")
"""The field of a GET that asks for the object's checksum. It costs nothing."""
_KIND = "x-amz-checksum-type"


def encoded_crc32(crc: int) -> str:
    """Return a CRC-32 as S3 writes it."""
    return b64encode(crc.to_bytes(4, "big")).decode()


def crc32_field(body: bytes | bytearray) -> tuple[str, str]:
    """Return the field that lets S3 check a body."""
    return CRC32, encoded_crc32(zlib.crc32(body))


class ChecksumVerifier(Protocol):
    """What an object's bytes are compared with."""

    def update(self, chunk: bytes) -> None:
        """Take the next bytes."""

    def check(self) -> None:
        """Compare, once all bytes were taken. Raises `StoreUnavailableError` when other bytes were stored."""


def verifier_of(field: Callable[[str], str | None]) -> ChecksumVerifier:
    """Return what checks an object whose response has these fields.

    Checksums that the standard library cannot calculate (CRC32C, CRC64NVME) are not checked, nor are those of
    an object that was put together of parts: they are checksums of checksums.

    Args:
        field: returns a field of the response to a GET of the whole object.
    """
    for name, of_object in _FIELDS.items():
        value = field(of_object)
        if value and "-" not in value:
            return _NoChecksum() if field(_KIND) == "COMPOSITE" else _Digest(name, value)
    return _NoChecksum()


class _NoChecksum:
    def update(self, chunk: bytes) -> None:
        """There is nothing to compare with."""

    def check(self) -> None:
        """There is nothing to compare with."""


class _Crc32:
    def __init__(self) -> None:
        self._crc = 0

    def update(self, chunk: bytes, /) -> None:
        self._crc = zlib.crc32(chunk, self._crc)

    def digest(self) -> bytes:
        return self._crc.to_bytes(4, "big")


class _Hash(Protocol):
    def update(self, chunk: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


_DIGESTS: Final[dict[str, Callable[[], _Hash]]] = {
    "crc32": _Crc32,
    "sha256": hashlib.sha256,
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
}
_FIELDS: Final = {name: f"x-amz-checksum-{name}" for name in _DIGESTS}


class _Digest:
    def __init__(self, name: str, expected: str) -> None:
        self._name = name
        self._expected = expected
        self._hash = _DIGESTS[name]()

    def update(self, chunk: bytes) -> None:
        self._hash.update(chunk)

    def check(self) -> None:
        if b64encode(self._hash.digest()).decode() != self._expected:
            raise StoreUnavailableError(f"the object that arrived does not match its {self._name} checksum")
