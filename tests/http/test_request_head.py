"""What is read from the head of a request, and what is refused."""

from __future__ import annotations

import pytest

from dequeuer.http.request_head import (
    MAX_FIELDS,
    MAX_HEAD_BYTES,
    MAX_TARGET_BYTES,
    RequestError,
    check_unfinished,
    read_request_head,
)

LINE = b"POST /a HTTP/1.1\r\nHost: h\r\n"


def status_of(data: bytes) -> int:
    with pytest.raises(RequestError) as caught:
        read_request_head(data)
    return caught.value.status


def with_fields(*lines: bytes) -> bytes:
    return LINE + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def test_what_a_head_says_is_kept_as_it_was_sent() -> None:
    head = read_request_head(
        b"PUT /a%2Fb//c/../d?x=%20&& HTTP/1.1\r\nhOsT: h:80\r\nX-A: 1\r\nx-a:  two words \t\r\nX-A:\r\nX-B: \xe9\r\n\r\n"
    )
    assert (head.method, head.target) == (b"PUT", b"/a%2Fb//c/../d?x=%20&&")
    assert [field[1:] for field in head.fields] == [
        (b"hOsT", b"h:80"),
        (b"X-A", b"1"),
        (b"x-a", b"two words"),
        (b"X-A", b""),
        (b"X-B", b"\xe9"),
    ]
    assert (head.has_body, head.keep_alive, head.is_http10) == (False, True, False)


@pytest.mark.parametrize(
    "method", [b"GET", b"BREW", b"get", b"M-SEARCH", b"SOURCE", b"X!#$%&'*+.^_`|~9", b"PRI", b"ACL"]
)
def test_any_method_is_read(method: bytes) -> None:
    head = read_request_head(method + b" / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n")
    assert (head.method, head.body_length) == (method, 3)


@pytest.mark.parametrize(
    "line",
    [
        b"GET  / HTTP/1.1",
        b" GET / HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b"GET\t/ HTTP/1.1",
        b"GET /a b HTTP/1.1",
        b"GET /",
        b"GET / ICE/1.0",
        b"GET / RTSP/1.0",
        b"SOURCE / ICE/1.0",
        b"GET / http/1.1",
        b"GET / HTTP/1.01",
        b"GET / HTTP/11",
        b"GET /\x00 HTTP/1.1",
        b"GET /\x7f HTTP/1.1",
        b"GET /\xe9 HTTP/1.1",
        b"GET /a#b HTTP/1.1",
        b"GET a/b HTTP/1.1",
        b"GET * HTTP/1.1",
        b"GET //h\r/ HTTP/1.1",
        b"G\x00T / HTTP/1.1",
        b"G(T / HTTP/1.1",
        b"GET http://h@h/ HTTP/1.1",
        b"GET http:///a HTTP/1.1",
        b"GET http://other/ HTTP/1.1",
        b"GET http://h:80/ HTTP/1.1",
        b"GET ftp://h/ HTTP/1.1",
        b"GET h:80 HTTP/1.1",
    ],
)
def test_a_request_line_that_is_not_valid_is_refused(line: bytes) -> None:
    assert status_of(line + b"\r\nHost: h\r\n\r\n") == 400


@pytest.mark.parametrize("version", [b"HTTP/2.0", b"HTTP/1.2", b"HTTP/0.9", b"HTTP/3", b"HTTP/9.9"])
def test_another_version_is_505(version: bytes) -> None:
    assert status_of(b"GET / " + version + b"\r\nHost: h\r\n\r\n") == 505


def test_connect_is_501() -> None:
    assert status_of(b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n") == 501
    assert status_of(b"connect /a HTTP/1.1\r\nHost: h\r\n\r\n") == 501


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"http://H/a?b", b"/a?b"),
        (b"HTTP://h", b"/"),
        (b"https://h?b", b"/?b"),
        (b"http://h//a", b"//a"),
    ],
)
def test_an_absolute_target_becomes_a_path(target: bytes, path: bytes) -> None:
    head = read_request_head(b"GET " + target + b" HTTP/1.1\r\nHost: h\r\n\r\n")
    assert (head.target, head.special[b"host"]) == (path, [b"h"])


def test_the_host_of_an_absolute_target_is_used_where_there_is_no_field() -> None:
    head = read_request_head(b"GET http://h/ HTTP/1.0\r\nX: y\r\n\r\n")
    assert head.fields[0][1:] == (b"Host", b"h")


def test_an_asterisk_is_the_target_of_options_alone() -> None:
    assert read_request_head(b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").target == b"*"


@pytest.mark.parametrize(
    "hosts",
    [(), (b"a", b"a"), (b"a b",), (b"a,b",), (b"a/b",), (b"u@a",), (b"a:b",), (b"a:80:80",), (b"[::1",), (b"a?b",)],
)
def test_a_host_that_is_not_exactly_one_name_is_refused(hosts: tuple[bytes, ...]) -> None:
    fields = b"".join(b"Host: %b\r\n" % host for host in hosts)
    assert status_of(b"GET / HTTP/1.1\r\n" + fields + b"\r\n") == 400


@pytest.mark.parametrize("host", [b"a", b"a.b:8080", b"127.0.0.1", b"[::1]:80", b"", b"a_b", b"a%20b"])
def test_a_host_may_be_a_name_or_an_address(host: bytes) -> None:
    assert read_request_head(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n").special[b"host"] == [host]


def test_http10_needs_no_host() -> None:
    head = read_request_head(b"GET / HTTP/1.0\r\n\r\n")
    assert (head.is_http10, head.keep_alive) == (True, False)


@pytest.mark.parametrize(
    "lines",
    [
        (b"Content-Length: 5", b"Content-Length: 5"),
        (b"Content-Length: 5", b"Content-Length: 6"),
        (b"Content-Length: 5, 5",),
        (b"Content-Length: +5",),
        (b"Content-Length: -5",),
        (b"Content-Length: 0x5",),
        (b"Content-Length: 5_0",),
        (b"Content-Length: 5.0",),
        (b"Content-Length:",),
        (b"Content-Length: 5 5",),
        (b"Content-Length: 18446744073709551616",),
        (b"Content-Length: 9223372036854775808",),
        (b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: chunked", b"Content-Length: 5"),
        (b"Transfer-Encoding: gzip", b"Content-Length: 5"),
        (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip"),
        (b"Transfer-Encoding: chunked, chunked",),
        (b"Transfer-Encoding: chunked, identity",),
        (b"Transfer-Encoding: \x0bchunked",),
        (b"Transfer-Encoding: 'chunked'", b"Content-Length: 5"),
        (b"Transfer-Encoding : chunked",),
        (b"Transfer-Encoding:",),
        (b"Transfer-Encoding: chunked\t",),
        (b"Transfer-Encoding: chunked\r",),
        (b"A: b", b" c", b"Transfer-Encoding: chunked"),
        (b"X: y", b" Transfer-Encoding: chunked"),
        (b"X: y\nTransfer-Encoding: chunked",),
        (b"X: y\rTransfer-Encoding: chunked",),
        (b"X: y\x00",),
        (b"X: \x01",),
        (b"X: \x7f",),
        (b"X\x00: y",),
        (b"X y: z",),
        (b"X",),
        (b": y",),
        (b"\xe9: y",),
        (b"X(: y",),
        (b"Content_Length: 5",),
        (b"transfer_encoding: chunked",),
        (b"X_Forwarded_For: 1.2.3.4",),
        (b"X-Forwarded_For: 1.2.3.4",),
        (b"X_Forwarded_Prefix: /",),
        (b"Connection: close, Host",),
        (b"Connection: content-length",),
        (b"Connection: Transfer-Encoding",),
        (b"Connection: connection",),
    ],
)
def test_fields_that_are_ambiguous_are_refused(lines: tuple[bytes, ...]) -> None:
    assert status_of(with_fields(*lines)) == 400


def test_whitespace_before_the_first_field_is_refused() -> None:
    assert status_of(b"GET / HTTP/1.1\r\n Host: h\r\n\r\n") == 400


def test_http10_has_no_chunks() -> None:
    assert status_of(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n") == 400


@pytest.mark.parametrize("coding", [b"gzip", b"gzip, chunked", b"identity", b"xchunked"])
def test_an_unknown_coding_is_501(coding: bytes) -> None:
    assert status_of(with_fields(b"Transfer-Encoding: " + coding)) == 501


@pytest.mark.parametrize("coding", [b"chunked", b"CHUNKED", b" \tchunked "])
def test_chunked_is_read_in_any_case(coding: bytes) -> None:
    assert read_request_head(with_fields(b"Transfer-Encoding:" + coding)).is_chunked


def test_an_expectation_is_100_continue_alone() -> None:
    assert read_request_head(with_fields(b"Expect: 100-Continue", b"Content-Length: 1")).expects_continue
    assert status_of(with_fields(b"Expect: 200-ok")) == 417
    assert status_of(with_fields(b"Expect: 100-continue", b"Expect: 100-continue")) == 417


@pytest.mark.parametrize(
    ("lines", "upgrade"),
    [
        ((b"Connection: Upgrade", b"Upgrade: websocket"), b"websocket"),
        ((b"Connection: keep-alive, upgrade", b"Upgrade: a", b"Upgrade: b"), b"a, b"),
        ((b"Upgrade: websocket",), b""),
        ((b"Connection: Upgrade",), b""),
        ((b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: x"), b""),
        ((b"Connection: Upgrade", b"Upgrade: websocket, H2C"), b""),
        ((b"Connection: Upgrade", b"Upgrade: websocket", b"Content-Length: 4"), b""),
        ((b"Connection: Upgrade", b"Upgrade: websocket", b"Transfer-Encoding: chunked"), b""),
    ],
)
def test_an_upgrade_is_asked_for_by_both_fields_and_without_a_body(lines: tuple[bytes, ...], upgrade: bytes) -> None:
    assert read_request_head(with_fields(*lines)).upgrade == upgrade


@pytest.mark.parametrize(
    ("version", "option", "keep_alive"),
    [
        (b"1.1", b"close", False),
        (b"1.1", b"Keep-Alive", True),
        (b"1.0", b"keep-alive", True),
        (b"1.0", b"keep-alive, close", False),
    ],
)
def test_the_connection_is_kept_as_the_client_says(version: bytes, option: bytes, keep_alive: bool) -> None:
    head = read_request_head(b"GET / HTTP/" + version + b"\r\nHost: h\r\nConnection: " + option + b"\r\n\r\n")
    assert head.keep_alive is keep_alive


def test_what_is_too_large_is_refused_by_its_status() -> None:
    assert status_of(b"GET /" + b"a" * MAX_TARGET_BYTES + b" HTTP/1.1\r\nHost: h\r\n\r\n") == 414
    assert status_of(with_fields(b"X: " + b"a" * MAX_HEAD_BYTES)) == 431
    assert status_of(with_fields(*[b"X: y"] * MAX_FIELDS)) == 431


@pytest.mark.parametrize(
    ("beginning", "status"),
    [
        (b"GET / HTTP/1.1\n", 400),
        (b"GET / HTTP/1.1\r\nX: y\n", 400),
        (b"GET /\rX", 400),
        (b"GET /" + b"a" * MAX_TARGET_BYTES, 414),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * MAX_HEAD_BYTES, 431),
    ],
)
def test_a_beginning_that_cannot_become_valid_is_refused_at_once(beginning: bytes, status: int) -> None:
    with pytest.raises(RequestError) as caught:
        check_unfinished(beginning, 0)
    assert caught.value.status == status


@pytest.mark.parametrize("beginning", [b"G", b"GET / HTTP/1.1\r", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nX: y\r"])
def test_a_beginning_that_can_become_valid_is_waited_for(beginning: bytes) -> None:
    check_unfinished(beginning, 0)


def test_no_error_quotes_the_request() -> None:
    for data in (b"GET /secret\x00 HTTP/1.1\r\n\r\n", with_fields(b"Authorization: secret\x00")):
        with pytest.raises(RequestError) as caught:
            read_request_head(data)
        assert "secret" not in caught.value.text


def test_a_line_end_is_judged_across_the_border_of_two_reads() -> None:
    data = b"GET / HTTP/1.1\r\nX: y\r\n"
    for border in range(len(data)):
        check_unfinished(data[:border], 0)
        check_unfinished(data, border)
    bare = b"GET / HTTP/1.1\r\nX: y\n"
    check_unfinished(bare[:-1], 0)
    with pytest.raises(RequestError):
        check_unfinished(bare, len(bare) - 1)
    check_unfinished(b"GET / HTTP/1.1\r", 0)
    with pytest.raises(RequestError):
        check_unfinished(b"GET / HTTP/1.1\rX", len(b"GET / HTTP/1.1\r"))
