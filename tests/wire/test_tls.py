"""The slim client over TLS: a certificate of a CA that is trusted, and others."""

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dequeuer.http.errors import UnreachableError
from dequeuer.http.origin import Origin
from dequeuer.http.pool import Pool
from tests.http.canned import ok


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and self-signed certificate of 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return file


@asynccontextmanager
async def serving(certificate: Path) -> AsyncIterator[int]:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(ok(b"x" * 100_000))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            ended.set()

    ended = asyncio.Event()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


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


async def test_a_server_that_nobody_vouches_for_is_unreachable(certificate: Path) -> None:
    async with serving(certificate) as port:
        made = Pool(Origin(host="127.0.0.1", port=port, tls=ssl.create_default_context()))
        with pytest.raises(UnreachableError):
            await ask(made)
        await made.close()


async def test_a_certificate_of_somebody_else_is_refused(certificate: Path) -> None:
    async with serving(certificate) as port:
        context = ssl.create_default_context(cafile=str(certificate))
        made = Pool(Origin(host="localhost", port=port, tls=context))
        with pytest.raises(UnreachableError):
            await ask(made)
        await made.close()
