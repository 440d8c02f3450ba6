"""Which receivers of webhooks are allowed."""

from __future__ import annotations

import ipaddress

import pytest

from dequeuer.formats.receiver_rules import MAX_URL_CHARS, InvalidReceiverError, Receiver, ReceiverRules

RULES = ReceiverRules()

PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "169.254.170.2",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001::1",
    "2001:db8::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
PUBLIC = ["8.8.8.8", "52.94.236.248", "172.32.0.1", "2600:1f18::1", "64:ff9b::808:808", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_of_the_inside_is_refused(address: str) -> None:
    with pytest.raises(InvalidReceiverError):
        RULES.check_address(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address: str) -> None:
    RULES.check_address(address)


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(InvalidReceiverError, match="no address"):
        RULES.check_address("name")


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "fd00::7"])
def test_an_allowed_network_is_allowed_whatever_the_form(address: str) -> None:
    rules = ReceiverRules(allowed=(ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00::/64")))
    rules.check_address(address)
    for other in ("10.2.0.1", "127.0.0.1", "fd01::1"):
        with pytest.raises(InvalidReceiverError):
            rules.check_address(other)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "0",
        "2852039166",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::10.0.0.1]",
        "[fe80::1%25eth0]",
        "192.168.1.1",
    ],
)
def test_a_private_address_in_a_url_is_refused_in_each_of_its_forms(host: str) -> None:
    with pytest.raises(InvalidReceiverError):
        RULES.parse(f"https://{host}/hook")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "visible"),
        ("hook", "https://"),
        ("ftp://example.com/", "https://"),
        ("file:///etc/passwd", "https://"),
        ("http://example.com/", "only https"),
        ("https://user:secret@example.com/", "credentials"),
        ("https://user@example.com/", "credentials"),
        ("https:///path", "no valid host"),
        ("https://exa mple.com/", "visible"),
        ("https://example.com/\r\nX: y", "visible"),
        ("https://example.com/\u00e9", "visible"),
        ("https://example.com:0/", "port 0"),
        ("https://example.com:99999/", "malformed"),
        ("https://[::1/", "malformed"),
        ("https://exam_ple..com\\@evil/", "credentials"),
        ("https://a" + "b" * MAX_URL_CHARS, "characters"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_its_reason(url: str, reason: str) -> None:
    with pytest.raises(InvalidReceiverError, match=reason) as caught:
        RULES.parse(url)
    assert "secret" not in str(caught.value)


def test_a_url_in_its_parts() -> None:
    assert RULES.parse("https://Example.com/a/b?c=d#e") == Receiver(
        is_tls=True, host="example.com", port=443, target="/a/b?c=d"
    )
    assert RULES.parse("https://example.com:8443") == Receiver(is_tls=True, host="example.com", port=8443, target="/")
    rules = ReceiverRules(allows_http=True)
    assert rules.parse("http://example.com/x") == Receiver(is_tls=False, host="example.com", port=80, target="/x")
