import struct

import pytest

from dequeuer.http.protocols import UNKNOWN, guess_protocol

SETTINGS = b"\0\0\0\x04\0\0\0\0\0"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (bytes.fromhex("15030300020246"), "TLS"),
        (bytes.fromhex("160303007a0200"), "TLS"),
        (SETTINGS, "HTTP/2"),
        (b"\0\0\x12\x04\0\0\0\0\0\0\x03", "HTTP/2"),
        (b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x01", "HTTP/2"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/2"),
        (b"HTTP/2 200\r\n", "another version of HTTP"),
        (b"HTTP/1.1 banana\r\n", "malformed HTTP/1"),
        (b"-ERR unknown command 'POST'\r\n", "Redis"),
        (b"-NOAUTH Authentication required.\r\n", "Redis"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH"),
        (b"220 mail.example ESMTP\r\n", "SMTP or FTP"),
        (b"* OK IMAP4rev1\r\n", "IMAP"),
        (b"+OK ready\r\n", "POP3"),
        (struct.pack("<I", 78)[:3] + b"\0\x0a8.0.36\0", "MySQL"),
        (b"E\0\0\0\x8cSFATAL\0VFATAL\0C0A000\0", "PostgreSQL"),
        (b"AMQP\0\0\x09\x01", "AMQP"),
        (b"RFB 003.008\n", "VNC"),
        (b"", UNKNOWN),
        (b"hello", UNKNOWN),
        (b"<html>", UNKNOWN),
        (b"\0" * 64, UNKNOWN),
        (b"\x15\x03", UNKNOWN),
    ],
)
def test_what_first_bytes_look_like(data: bytes, name: str) -> None:
    assert guess_protocol(data) == name
