"""Checksums: those that are sent with bodies, and the verification of objects that are read."""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64encode
from collections.abc import Callable
from typing import Final, Protocol

from dequeuer.core.errors import StoreUnavailableError

CRC32: Final = "x-amz-checksum-crc32"
REQUEST_CHECKSUM: Final = ("x-amz-checksum-mode", "ENABLED")
"""Field of a GET that requests the checksum of the object. It costs nothing."""
_KIND = "x-amz-checksum-type"


def encoded_crc32(crc: int) -> str:
    """Return a CRC-32 as S3 writes it."""
    return b64encode(crc.to_bytes(4, "big")).decode()


def crc32_field(body: bytes | bytearray) -> tuple[str, str]:
    """Return the field with which S3 verifies a body."""
    return CRC32, encoded_crc32(zlib.crc32(body))


class ChecksumVerifier(Protocol):
    """Verifies the bytes of an object."""

    def update(self, chunk: bytes) -> None:
        """Add the next bytes."""

    def check(self) -> None:
        """Compare after all bytes. Raises `StoreUnavailableError` when they are not the bytes that were stored."""


def verifier_of(field: Callable[[str], str | None]) -> ChecksumVerifier:
    """Return a verifier for an object, by the header fields of its response.

    Not verified are checksums that the standard library cannot calculate (CRC32C, CRC64NVME), and composite checksums
    of objects that were uploaded in parts: these are checksums of checksums.

    Args:
        field: returns a header field of the response to a GET of the whole object.
    """
    for name, of_object in _FIELDS.items():
        value = field(of_object)
        if value and "-" not in value:
            return _NoChecksum() if field(_KIND) == "COMPOSITE" else _Digest(name, value)
    return _NoChecksum()


class _NoChecksum:
    def update(self, chunk: bytes) -> None:
        """Do nothing: there is no checksum."""

    def check(self) -> None:
        """Do nothing: there is no checksum."""


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
