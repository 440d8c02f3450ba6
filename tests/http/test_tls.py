"""The slim client over TLS: a certificate of a CA that is trusted, and others."""

import asyncio
import ssl
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from dequeuer.http.errors import UnreachableError
from dequeuer.http.origin import Origin
from dequeuer.http.pool import Pool
from tests.http.canned import ok
from tests.tcp_server import tcp_server


def serving(certificate: Path) -> AbstractAsyncContextManager[int]:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(ok(b"x" * 100_000))
            await writer.drain()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return tcp_server(talk, ssl=context)


async def ask(made: Pool) -> int:
    return len((await made.exchange((b"GET / HTTP/1.1\r\nhost: h\r\n\r\n", b""), timeout_s=20, limit=1_000_000)).body)


async def test_a_trusted_server_is_spoken_to_over_one_kept_connection(certificate: Path) -> None:
    async with serving(certificate) as port:
        context = ssl.create_default_context(cafile=str(certificate))
        made = Pool(Origin(host="127.0.0.1", port=port, tls=context))
        assert [await ask(made) for _ in range(3)] == [100_000] * 3
        assert len(made._idle) == 1
        await made.close()
        await asyncio.sleep(0)


async def test_a_server_with_an_untrusted_certificate_is_unreachable(certificate: Path) -> None:
    async with serving(certificate) as port:
        made = Pool(Origin(host="127.0.0.1", port=port, tls=ssl.create_default_context()))
        with pytest.raises(UnreachableError):
            await ask(made)
        await made.close()


async def test_a_certificate_of_another_host_is_refused(certificate: Path) -> None:
    async with serving(certificate) as port:
        context = ssl.create_default_context(cafile=str(certificate))
        made = Pool(Origin(host="localhost", port=port, tls=context))
        with pytest.raises(UnreachableError):
            await ask(made)
        await made.close()
