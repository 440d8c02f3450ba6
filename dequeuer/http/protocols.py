"""Guess the protocol of a server that does not speak HTTP/1 from the first bytes that it sent."""

from __future__ import annotations

from typing import Final

HTTP1: Final = "HTTP/1"
UNKNOWN: Final = "an unknown protocol"
MALFORMED: Final = "malformed HTTP/1"

_STARTS: Final = (
    (b"HTTP/1.", MALFORMED),
    (b"PRI * HTTP/2", "HTTP/2"),
    (b"HTTP/", "another version of HTTP"),
    (b"SSH-", "SSH"),
    (b"AMQP", "AMQP"),
    (b"-ERR ", "Redis"),
    (b"-NOAUTH ", "Redis"),
    (b"-DENIED ", "Redis"),
    (b"+OK ", "POP3"),
    (b"* OK ", "IMAP"),
    (b"220 ", "SMTP or FTP"),
    (b"220-", "SMTP or FTP"),
    (b"RFB 0", "VNC"),
)
_TLS_RECORDS: Final = (0x14, 0x15, 0x16, 0x17)
"""change_cipher_spec, alert, handshake, application_data (RFC 8446, section 5.1)."""
_HTTP2_FIRST_FRAMES: Final = (0x04, 0x07)
"""SETTINGS and GOAWAY (RFC 9113, section 6)."""


def guess_protocol(data: bytes) -> str:
    """Return the name of the protocol, from a fixed set of texts: it contains nothing of `data`."""
    for start, name in _STARTS:
        if data.startswith(start):
            return name
    if len(data) >= 3 and data[0] in _TLS_RECORDS and data[1] == 0x03 and data[2] <= 0x04:
        return "TLS"
    if len(data) >= 9 and data[0] == 0 and data[3] in _HTTP2_FIRST_FRAMES and data[5:9] == b"\0\0\0\0":
        return "HTTP/2"
    if len(data) >= 5 and data[2:5] in (b"\0\0\x0a", b"\0\0\xff"):
        # Packet length, packet number, then protocol version 10 or an error.
        return "MySQL"
    if data.startswith(b"E\0\0") and b"SFATAL\0" in data[:32]:
        return "PostgreSQL"
    return UNKNOWN
