"""Whatever answers instead of AWS, the checks end, and say that something is wrong."""

from __future__ import annotations

import asyncio

import pytest

from dequeuer.check import aws_access, network
from tests.integration.check.setup import SetUp
from tests.tcp_server import Connection, tcp_server


def states(setup: SetUp, connection: Connection) -> dict[str, str]:
    async def run() -> dict[str, str]:
        async with tcp_server(connection) as port:
            setup.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{port}"
            found = await setup.run_here()
        return {str(one.id): one.verdict.state for one in found}

    return asyncio.run(run())


def test_of_a_cloud_that_accepts_connections_and_never_answers_all_is_told(
    setup: SetUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws_access, "CALL_TIMEOUT_S", 0.3)
    monkeypatch.setattr(network, "TIMEOUT_S", 0.3)

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    found = states(setup, silent)
    assert {name for name, state in found.items() if state == "fault"} == {
        "network.connection",
        "queue.exists",
        "bucket.exists",
    }
    of_permissions = {state for name, state in found.items() if name.startswith("permission.")}
    assert of_permissions == {"not_known"}


BODIES = [
    b"",
    b"{}",
    b"[]",
    b'{"Attributes": []}',
    b'{"Attributes": {"RedrivePolicy": "[]", "MessageRetentionPeriod": "soon", "QueueArn": null}}',
    b'{"Attributes": {"RedrivePolicy": "{\\"deadLetterTargetArn\\": 1, \\"maxReceiveCount\\": {}}"}}',
    b'{"Failed": [{"Id": "0"}, 1], "Attributes": {"KmsMasterKeyId": "\\u001b[2J"}}',
    b"<html><body>It works!</body></html>",
    b"<ListBucketResult/>",
    b"<Error><Code>AccessDenied</Code></Error>",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
    b"\xff\xfe" * 100,
]


@pytest.mark.parametrize("status", [200, 403, 500])
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_any_answer_is_no_bug(setup: SetUp, status: int, body: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:-2])
            await reader.readexactly(int(fields.get(b"content-length", b"0")))
            date = b"Date: nonsense" if status == 200 else b"Date: Thu, 01 Jan 1970 00:00:00 GMT"
            writer.write(b"HTTP/1.1 %d X\r\n%s\r\nContent-Length: %d\r\n\r\n%s" % (status, date, len(body), body))
            await writer.drain()

    found = states(setup, answer)
    assert found["identity.caller"] == "not_known"
    assert found["network.clock"] == ("not_known" if status == 200 else "fault")
    assert status == 200 or {found["queue.exists"], found["bucket.exists"]} & {"fault", "not_known"}


def test_what_is_no_http_is_a_fault_of_the_network(setup: SetUp) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        await reader.read()

    assert states(setup, greet)["network.connection"] == "fault"
