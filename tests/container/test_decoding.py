from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dequeuer.container.decoding import PIECE_BYTES, Decoder, decoder_for
from dequeuer.core.errors import InvalidResponseError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TEXT = b'{"a": [1, 2, 3]}' * 50
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
}


def decode(coding: str, *chunks: bytes) -> bytes:
    decoder = decoder_for([coding])
    assert decoder is not None
    whole = b"".join(piece for chunk in chunks for piece in decoder.feed(chunk))
    decoder.close()
    return whole


@pytest.mark.parametrize("coding", PACK)
@given(body=st.binary(max_size=300), size=st.integers(1, 50))
def test_any_encoded_body_is_decoded_with_any_chunks(coding: str, body: bytes, size: int) -> None:
    packed = PACK[coding](body)
    assert decode(coding, *(packed[at : at + size] for at in range(0, len(packed), size))) == body


@pytest.mark.parametrize("coding", PACK)
def test_a_truncated_stream_is_refused(coding: str) -> None:
    packed = PACK[coding](TEXT)
    for end in range(1, len(packed)):
        with pytest.raises(InvalidResponseError):
            decode(coding, packed[:end])


@pytest.mark.parametrize("coding", PACK)
def test_a_body_that_is_not_encoded_is_refused(coding: str) -> None:
    with pytest.raises(InvalidResponseError, match="cannot be decoded"):
        decode(coding, b"this was never packed")


@pytest.mark.parametrize("coding", ["gzip", "x-gzip"])
def test_a_wrong_checksum_is_refused(coding: str) -> None:
    packed = bytearray(PACK[coding](TEXT))
    packed[-6] ^= 1
    with pytest.raises(InvalidResponseError):
        decode(coding, bytes(packed))


def test_deflate_without_its_header() -> None:
    packer = zlib.compressobj(wbits=-15)
    assert decode("deflate", packer.compress(TEXT) + packer.flush()) == TEXT


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_streams_may_follow_each_other(coding: str) -> None:
    pack = PACK[coding]
    assert decode(coding, pack(TEXT) + pack(b"") + pack(TEXT)) == TEXT * 2
    assert decode(coding, pack(b"") * 5000 + pack(TEXT)) == TEXT
    with pytest.raises(InvalidResponseError):
        decode(coding, pack(TEXT) + b"more")


def test_nothing_follows_a_brotli_stream() -> None:
    with pytest.raises(InvalidResponseError):
        decode("br", brotli.compress(TEXT) + b"more")


@pytest.mark.parametrize("coding", PACK)
def test_an_empty_body_is_empty(coding: str) -> None:
    assert decode(coding) == b""


@pytest.mark.parametrize("coding", PACK)
def test_decoded_pieces_are_bounded(coding: str) -> None:
    decoder = decoder_for([coding])
    assert decoder is not None
    sizes = [len(piece) for piece in decoder.feed(PACK[coding](b" " * 5_000_000))]
    assert sum(sizes) == 5_000_000
    # The libraries round up to their own block sizes.
    assert max(sizes) <= 2 * PIECE_BYTES


def test_a_window_larger_than_http_allows_is_refused() -> None:
    options: dict[int, int] = {zstd.CompressionParameter.window_log: 27}
    packer = zstd.ZstdCompressor(options=options)
    packed = packer.compress(b" " * 100) + packer.flush()
    with pytest.raises(InvalidResponseError):
        decode("zstd", packed)


@pytest.mark.parametrize(
    ("fields", "is_decoded"),
    [
        ([], False),
        ([""], False),
        (["identity"], False),
        (["utf-8"], False),
        (["GZIP"], True),
        ([" gzip\t"], True),
        (["identity, br"], True),
        (["identity", "zstd"], True),
    ],
)
def test_which_bodies_are_decoded(fields: list[str], is_decoded: bool) -> None:
    assert isinstance(decoder_for(fields), Decoder) is is_decoded


@pytest.mark.parametrize("fields", [["gzip, gzip"], ["gzip", "br"], ["deflate,zstd,gzip"]])
def test_more_than_one_coding_is_refused(fields: list[str]) -> None:
    with pytest.raises(InvalidResponseError, match="more than one"):
        decoder_for(fields)
