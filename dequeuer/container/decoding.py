"""Decoding the Content-Encoding of a response, in bounded memory. A stream without its end is an error."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Protocol

from dequeuer.core.errors import InvalidResponseError

PIECE_BYTES: Final = 64 * 1024
"""Decoded at a time, about: the memory for one response."""
INPUT_BYTES: Final = 4 * 1024
"""Passed to a decoder at a time. The bytes after the end of a stream are copied, and a stream can be 20 bytes long."""
ZSTD_WINDOW_LOG: Final = 23
"""8 MiB, the most that RFC 9659 allows in HTTP. The library alone would take up to 128 MiB for a response."""


class _Stream(Protocol):
    """One compressed stream. Any exception means that the stream is malformed."""

    def take(self, data: bytes) -> bytes:
        """Take more input and return up to `PIECE_BYTES` of output; b"": more input is needed."""

    @property
    def has_ended(self) -> bool:
        """Whether the end of the stream was reached."""

    @property
    def rest(self) -> bytes:
        """The input after the end of the stream."""


class Decoder:
    """Decodes a body chunk by chunk. Several streams may follow each other, as gzip and zstd allow."""

    def __init__(self, begin: Callable[[], _Stream]) -> None:
        self._begin = begin
        self._stream: _Stream | None = None

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the decoded bytes of a chunk. Raises `InvalidResponseError`."""
        for at in range(0, len(chunk), INPUT_BYTES):
            data = chunk[at : at + INPUT_BYTES]
            while data:
                if self._stream is None:
                    self._stream = self._begin()
                yield from self._feed(self._stream, data)
                if not self._stream.has_ended:
                    break
                data, self._stream = self._stream.rest, None

    def _feed(self, stream: _Stream, data: bytes) -> Iterator[bytes]:
        while not stream.has_ended:
            try:
                piece = stream.take(data)
            except Exception as error:
                # Each library has its own exceptions; their texts do not help to find the fault.
                raise InvalidResponseError("the response's content encoding cannot be decoded") from error
            if not piece:
                return
            yield piece
            data = b""

    def close(self) -> None:
        """Finish after the last chunk. Raises `InvalidResponseError` when a stream has not ended."""
        if self._stream is not None:
            raise InvalidResponseError("the response ends before its content encoding is complete")


def decoder_for(fields: Sequence[str]) -> Decoder | None:
    """Return the decoder for a body with these `Content-Encoding` fields; None when it needs none.

    Raises:
        InvalidResponseError: the body is encoded more than once. Honest servers do not do this.
    """
    codings = [coding.strip(" \t").lower() for field in fields for coding in field.split(",")]
    known = [_STREAMS[coding] for coding in codings if coding in _STREAMS]
    if len(known) > 1:
        raise InvalidResponseError("the response has more than one content encoding; one is allowed")
    # Unknown names are ignored (some servers send "utf-8"): whether the body is JSON is checked later.
    return Decoder(known[0]) if known else None


class _Zlib:
    """gzip; deflate with its zlib header or without it, as some servers send it."""

    def __init__(self, window_bits: int | None = None) -> None:
        self._inner: Any = zlib.decompressobj(window_bits) if window_bits is not None else None

    def take(self, data: bytes) -> bytes:
        if self._inner is None:
            self._inner = zlib.decompressobj(zlib.MAX_WBITS if data[0] & 0xF == 8 else -zlib.MAX_WBITS)
        piece: bytes = self._inner.decompress(self._inner.unconsumed_tail + data, PIECE_BYTES)
        return piece

    @property
    def has_ended(self) -> bool:
        return self._inner is not None and bool(self._inner.eof)

    @property
    def rest(self) -> bytes:
        rest: bytes = self._inner.unused_data
        return rest


class _Brotli:
    def __init__(self) -> None:
        import brotli  # type: ignore[import-untyped] # noqa: PLC0415 - most containers never use it

        self._inner: Any = brotli.Decompressor()

    def take(self, data: bytes) -> bytes:
        piece: bytes = self._inner.process(data, output_buffer_limit=PIECE_BYTES)
        return piece

    @property
    def has_ended(self) -> bool:
        return bool(self._inner.is_finished())

    @property
    def rest(self) -> bytes:
        return b""


class _Zstd:
    def __init__(self) -> None:
        if sys.version_info >= (3, 14):
            from compression import zstd  # noqa: PLC0415 - most containers never use it
        else:
            from backports import zstd  # noqa: PLC0415 - most containers never use it

        options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: ZSTD_WINDOW_LOG}
        self._inner: Any = zstd.ZstdDecompressor(options=options)

    def take(self, data: bytes) -> bytes:
        piece: bytes = self._inner.decompress(data, PIECE_BYTES)
        return piece

    @property
    def has_ended(self) -> bool:
        return bool(self._inner.eof)

    @property
    def rest(self) -> bytes:
        rest: bytes = self._inner.unused_data
        return rest


_STREAMS: Final[dict[str, Callable[[], _Stream]]] = {
    "gzip": lambda: _Zlib(16 + zlib.MAX_WBITS),
    "x-gzip": lambda: _Zlib(16 + zlib.MAX_WBITS),
    "deflate": _Zlib,
    "br": _Brotli,
    "zstd": _Zstd,
}
