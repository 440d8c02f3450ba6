"""Requests that attackers send: one line a case, with what must become of it.

The techniques are those of published work on request smuggling (Watchfire 2005, Klein 2020, Kettle 2019 to 2025, T-Reqs,
the HTTP Garden); the bytes are our own. Most cases hide a request for /smuggled where a server that reads their lengths in
another way finds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Passes(Enum):
    """What becomes of a request that is not certainly refused."""

    EXACTLY = "the container sees it, as it is meant"
    OR_REFUSED = "it is refused, or the container sees it as it is meant"


PASS, MAY = Passes.EXACTLY, Passes.OR_REFUSED


@dataclass(frozen=True, slots=True)
class Case:
    """One attack.

    Attributes:
        data: what the client sends on one connection.
        expected: the status that its last request is refused with, before which the others pass; or that all pass.
    """

    name: str
    data: bytes
    expected: int | Passes


def get(*fields: bytes, target: bytes = b"/a", version: bytes = b"HTTP/1.1") -> bytes:
    return b"\r\n".join([b"GET " + target + b" " + version, b"Host: h", *fields, b"", b""])


def post(*fields: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([b"POST /a HTTP/1.1", b"Host: h", *fields, b"", body])


def raw(*lines: bytes) -> bytes:
    return b"\r\n".join([*lines, b"", b""])


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
CHUNKED = b"0\r\n\r\n" + SMUGGLED
"""An empty chunked body, and what a server that reads it in another way takes for a request, or for a body."""
CL, TE = b"Content-Length: %d" % len(CHUNKED), b"Transfer-Encoding: chunked"


def te(value: bytes) -> bytes:
    """Return a request whose coding is only perhaps `chunked`; its length says the same to those who ignore it."""
    return post(b"Transfer-Encoding:" + value, body=CHUNKED)


def both(field: bytes) -> bytes:
    """Return a request with a length and a field that only some servers take for a coding."""
    return post(CL, field, body=CHUNKED)


def chunks(body: bytes) -> bytes:
    """Return a request with a chunked body."""
    return post(TE, body=body)


FRAMED_TWICE = [
    Case("CL.TE", post(CL, TE, body=CHUNKED), 400),
    Case("TE.CL", post(TE, CL, body=CHUNKED), 400),
    Case("TE.CL with a length of 0", post(TE, b"Content-Length: 0", body=CHUNKED), 400),
    Case("CL.TE on a GET", get(CL, TE) + CHUNKED, 400),
    Case("CL.TE in lower case", post(CL.lower(), TE.lower(), body=CHUNKED), 400),
    Case("CL.TE with other fields between", post(CL, b"A: b", b"C: d", TE, body=CHUNKED), 400),
    Case("CL with TE identity", post(CL, b"Transfer-Encoding: identity", body=CHUNKED), 400),
    Case("CL with an empty TE", both(b"Transfer-Encoding:"), 400),
    Case("CL with an unknown TE", both(b"Transfer-Encoding: cow"), 400),
    Case("bad CL with TE", post(b"Content-Length: cow", TE, body=CHUNKED), 400),
    Case("TE twice", post(TE, TE, body=CHUNKED), 400),
    Case("TE identity, then chunked", post(b"Transfer-Encoding: identity", TE, body=CHUNKED), 400),
    Case("TE chunked, then identity", post(TE, b"Transfer-Encoding: identity", body=CHUNKED), 400),
    Case("TE chunked, then cow", post(TE, b"Transfer-encoding: cow", body=CHUNKED), 400),
    Case("TE in HTTP/1.0", raw(b"POST /a HTTP/1.0", b"Host: h", TE) + CHUNKED, 400),
    Case("CL and TE in HTTP/1.0", raw(b"POST /a HTTP/1.0", b"Host: h", CL, TE) + CHUNKED, 400),
    Case("CL hidden in a folded line", post(b"A: b", b" Content-Length: 5", TE, body=CHUNKED), 400),
]

CODINGS = [
    Case("upper case", te(b" CHUNKED"), PASS),
    Case("mixed case", te(b" cHuNkEd"), PASS),
    Case("no space", te(b"chunked"), PASS),
    Case("two spaces", te(b"  chunked"), PASS),
    Case("tab before", te(b"\tchunked"), MAY),
    Case("tab behind", te(b" chunked\t"), MAY),
    Case("space behind", te(b" chunked "), MAY),
    Case("vertical tab before", te(b"\x0bchunked"), 400),
    Case("vertical tab behind", te(b" chunked\x0b"), 400),
    Case("form feed before", te(b" \x0cchunked"), 400),
    Case("form feed behind", te(b" chunked\x0c"), 400),
    Case("NUL before", te(b" \x00chunked"), 400),
    Case("NUL behind", te(b" chunked\x00"), 400),
    Case("DEL behind", te(b" chunked\x7f"), 400),
    Case("no-break space before", te(b"\xa0chunked"), 400),
    Case("next line before", te(b"\x85chunked"), 400),
    Case("0xFF before", te(b"\xffchunked"), 400),
    Case("accent inside", te(b" ch\x96nked"), 400),
    Case("UTF-8 inside", te(" chùnked".encode()), 400),
    Case("CR before", te(b" \rchunked"), 400),
    Case("CR behind", te(b" chunked\r"), 400),
    Case("LF before", te(b"\n chunked"), 400),
    Case("LF and vertical tab before", te(b" \n\x0bchunked"), 400),
    Case("folded", te(b"\r\n chunked"), 400),
    Case("folded with a tab", te(b"\r\n\tchunked"), 400),
    Case("folded behind", te(b" chunked\r\n , identity"), 400),
    Case("double quotes", te(b' "chunked"'), 400),
    Case("single quotes", te(b" 'chunked'"), 501),
    Case("half of it", te(b" chunk"), 501),
    Case("more than it", te(b" chunkedchunked"), 501),
    Case("letter before", te(b" xchunked"), 501),
    Case("empty", te(b""), 400),
    Case("list: identity behind", te(b" chunked, identity"), 400),
    Case("list: identity before", te(b" identity, chunked"), 501),
    Case("list: cow behind", te(b" chunked, cow"), 400),
    Case("list: cow before", te(b" cow, chunked"), 501),
    Case("list: gzip before", te(b" gzip, chunked"), 501),
    Case("list: chunked twice", te(b" chunked, chunked"), 400),
    Case("list: comma before", te(b" ,chunked"), 400),
    Case("list: comma behind", te(b" chunked,"), 400),
    Case("list: nested", te(b" identity, chunked, identity"), 400),
    Case("identity", te(b" identity"), 501),
    Case("gzip", te(b" gzip"), 501),
    Case("parameter", te(b" chunked;q=1"), 400),
    Case("two words", te(b" chunked x"), 400),
    Case("colon before", te(b": chunked"), 400),
    Case("percent encoding", te(b" %63hunked"), 501),
    Case("comment", te(b" chunked (comment)"), 400),
]

NAMES = [
    Case("space before the colon of TE", both(b"Transfer-Encoding : chunked"), 400),
    Case("tab before the colon of TE", both(b"Transfer-Encoding\t: chunked"), 400),
    Case("space before the colon of CL", post(b"Content-Length : 5", body=SMUGGLED), 400),
    Case("space before the colon of Host", raw(b"GET /a HTTP/1.1", b"Host : h"), 400),
    Case("space before the colon of another", get(b"A : b"), 400),
    Case("vertical tab before the colon", both(b"Transfer-Encoding\x0b: chunked"), 400),
    Case("word before the colon", both(b"Transfer-Encoding x: chunked"), 400),
    Case("space inside", both(b"Transfer Encoding: chunked"), 400),
    Case("space before", both(b" Transfer-Encoding: chunked"), 400),
    Case("backslash inside", both(b"Transfer\\Encoding: chunked"), 400),
    Case("accent inside", both(b"Transf\x82r-Encoding: chunked"), 400),
    Case("no-break space behind", both(b"Transfer-Encoding\xa0: chunked"), 400),
    Case("next line behind", post(b"Content-Length\x85: 5", body=SMUGGLED), 400),
    Case("NUL inside", both(b"Transfer-\x00Encoding: chunked"), 400),
    Case("NUL behind", both(b"Transfer-Encoding\x00: chunked"), 400),
    Case("CR inside", both(b"Tra\rnsfer-Encoding: chunked"), 400),
    Case("CR before", both(b"\rTransfer-Encoding: chunked"), 400),
    Case("CR before it and a byte", both(b"\rZTransfer-Encoding: chunked"), 400),
    Case("CR as the end of the line before", both(b"A: b\rTransfer-Encoding: chunked"), 400),
    Case("LF as the end of the line before", both(b"A: b\nTransfer-Encoding: chunked"), 400),
    Case("LF CR as the end of the line before", both(b"A: b\n\rTransfer-Encoding: chunked"), 400),
    Case("LF before the colon", both(b"Transfer-Encoding\n : chunked"), 400),
    Case("two LF in a value", get(b"A:\n\nGET /smuggled HTTP/1.1"), 400),
    Case("two LF behind a value", get(b"A: b\n\nGET /smuggled HTTP/1.1"), 400),
    Case("two CR in a value", get(b"A: b\r\rGET /smuggled HTTP/1.1"), 400),
    Case("CR in a value", get(b"A: b\rc"), 400),
    Case("NUL in a value", get(b"A: b\x00c"), 400),
    Case("control byte in a value", get(b"A: b\x01c"), 400),
    Case("DEL in a value", get(b"A: b\x7fc"), 400),
    Case("tab in a value", get(b"A: b\tc"), PASS),
    Case("non-ASCII in a value", get(b"A: b\xe9\xff"), PASS),
    Case("empty value", get(b"A:"), PASS),
    Case("value of spaces", get(b"A:    "), PASS),
    Case("no colon", get(b"Content-Length 5"), 400),
    Case("only a word", get(b"chunked"), 400),
    Case("empty name", get(b": b"), 400),
    Case("colon alone, then more", get(b":", b"A: b"), 400),
    Case("colon first", get(b":authority: h"), 400),
    Case("folded value", get(b"A: b", b" c"), 400),
    Case("folded with a tab", get(b"A: b", b"\tc"), 400),
    Case("folded empty line", get(b"A: b", b" "), 400),
    Case("space before the first field", raw(b"GET /a HTTP/1.1", b" Host: h"), 400),
    Case("folded request line", raw(b"GET /a HTTP/1.1", b" A: b", b"Host: h"), 400),
    Case("tab before the first field", raw(b"GET /a HTTP/1.1", b"\tContent-Length: 5", b"Host: h"), 400),
    Case("percent in a name", both(b"Transfer-%45ncoding: chunked"), MAY),
    Case("Content-Encoding", both(b"Content-Encoding: chunked"), PASS),
    Case("every mark that a name may have", get(b"!#$%&'*+-.^`|~: b"), PASS),
    Case("underscore for the hyphen of CL", post(CL, b"Content_Length: 0", body=CHUNKED), 400),
    Case("underscore for the hyphen of TE", both(b"Transfer_Encoding: chunked"), 400),
    Case("underscores in other case", both(b"TRANSFER_ENCODING: chunked"), 400),
    Case("underscore for the hyphen of X-Forwarded-For", get(b"X_Forwarded_For: 1.2.3.4"), 400),
    Case("one underscore of two", get(b"X-Forwarded_For: 1.2.3.4"), 400),
    Case("underscore elsewhere", get(b"my_name: b"), PASS),
    *(
        Case(f"{mark!r} in a name", get(b"A" + mark + b"B: c"), 400)
        for mark in (b'"', b"(", b")", b",", b"/", b";", b"<", b"=", b">", b"?", b"@", b"[", b"\\", b"]", b"{", b"}", b"\x7f", b"\x1f", b"\xc3\xa9")
    ),
]  # fmt: skip

LENGTHS = [
    Case("twice, different", post(b"Content-Length: 0", CL, body=CHUNKED), 400),
    Case("twice, the other order", post(CL, b"Content-Length: 0", body=CHUNKED), 400),
    Case("twice, equal", post(b"Content-Length: 3", b"Content-Length: 3", body=b"abc"), 400),
    Case("twice, one empty", post(b"Content-Length:", CL, body=CHUNKED), 400),
    Case("twice, other case", post(b"Content-Length: 3", b"content-length: 4", body=b"abcd"), 400),
    Case("list, equal", post(b"Content-Length: 3, 3", body=b"abc"), 400),
    Case("list, different", post(b"Content-Length: 3, 4", body=b"abcd"), 400),
    Case("list, comma behind", post(b"Content-Length: 3,", body=b"abc"), 400),
    Case("list, comma before", post(b"Content-Length: ,3", body=b"abc"), 400),
    Case("plus", post(b"Content-Length: +3", body=b"abc"), 400),
    Case("minus", post(b"Content-Length: -3", body=b"abc"), 400),
    Case("minus zero", post(b"Content-Length: -0", body=b""), 400),
    Case("hex", post(b"Content-Length: 0x3", body=b"abc"), 400),
    Case("hex digit", post(b"Content-Length: a", body=b"abcdefghij"), 400),
    Case("octal as some read it", post(b"Content-Length: 010", body=b"abcdefghij"), MAY),
    Case("many zeros", post(b"Content-Length: " + b"0" * 20 + b"3", body=b"abc"), MAY),
    Case("underscore", post(b"Content-Length: 1_0", body=b"abcdefghij"), 400),
    Case("exponent", post(b"Content-Length: 1e1", body=b"abcdefghij"), 400),
    Case("decimal point", post(b"Content-Length: 3.0", body=b"abc"), 400),
    Case("space inside", post(b"Content-Length: 1 0", body=b"abcdefghij"), 400),
    Case("letter behind", post(b"Content-Length: 3x", body=b"abc"), 400),
    Case("semicolon behind", post(b"Content-Length: 3;", body=b"abc"), 400),
    Case("quoted", post(b'Content-Length: "3"', body=b"abc"), 400),
    Case("empty", post(b"Content-Length:", body=SMUGGLED), 400),
    Case("space", post(b"Content-Length: ", body=SMUGGLED), 400),
    Case("empty on a GET", get(b"Content-Length:"), 400),
    Case("word", post(b"Content-Length: three", body=b"abc"), 400),
    Case("NUL behind", post(b"Content-Length: 3\x00", body=b"abc"), 400),
    Case("CR behind", post(b"Content-Length: 3\r", body=b"abc"), 400),
    Case("vertical tab before", post(b"Content-Length: \x0b3", body=b"abc"), 400),
    Case("tab before", post(b"Content-Length:\t3", body=b"abc"), MAY),
    Case("space behind", post(b"Content-Length: 3 ", body=b"abc"), MAY),
    Case("digits of another script", post("Content-Length: ٣".encode(), body=b"abc"), 400),
    Case("superscript", post(b"Content-Length: \xb3", body=b"abc"), 400),
    Case("2**64", post(b"Content-Length: 18446744073709551616", body=b"abc"), 400),
    Case("2**64 + 3", post(b"Content-Length: 18446744073709551619", body=b"abc"), 400),
    Case("100 digits", post(b"Content-Length: " + b"9" * 100, body=b"abc"), 400),
    Case("folded", post(b"Content-Length:", b" 3", body=b"abc"), 400),
    Case("CL.0: a GET with a request for a body", get(b"Content-Length: %d" % len(SMUGGLED)) + SMUGGLED, PASS),
    Case("CL.0: a HEAD with a request for a body", b"HEAD /a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED, PASS),
    Case("CL.0: an OPTIONS with a request for a body", b"OPTIONS /a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED, PASS),
    Case("CL.0: DELETE", b"DELETE /a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED, PASS),
    Case("CL.0: POST of nothing", post(b"Content-Length: 0"), PASS),
    Case("POST without a length", post(), PASS),
    Case("a chunked body that looks like one, with a length", post(CL, body=CHUNKED), PASS),
]  # fmt: skip

CHUNK_SIZES = [
    Case("upper case", chunks(b"A\r\n0123456789\r\n0\r\n\r\n"), PASS),
    Case("lower case", chunks(b"a\r\n0123456789\r\n0\r\n\r\n"), PASS),
    Case("zeros before", chunks(b"0003\r\nabc\r\n0\r\n\r\n"), MAY),
    Case("zeros at the end", chunks(b"3\r\nabc\r\n0000\r\n\r\n"), MAY),
    Case("0x", chunks(b"0x3\r\nabc\r\n0\r\n\r\n"), 400),
    Case("0X", chunks(b"0X3\r\nabc\r\n0\r\n\r\n"), 400),
    Case("plus", chunks(b"+3\r\nabc\r\n0\r\n\r\n"), 400),
    Case("minus", chunks(b"-3\r\nabc\r\n0\r\n\r\n"), 400),
    Case("underscore", chunks(b"0_3\r\nabc\r\n0\r\n\r\n"), 400),
    Case("space before", chunks(b" 3\r\nabc\r\n0\r\n\r\n"), 400),
    Case("space behind", chunks(b"3 \r\nabc\r\n0\r\n\r\n"), 400),
    Case("tab behind", chunks(b"3\t\r\nabc\r\n0\r\n\r\n"), 400),
    Case("space behind the last", chunks(b"3\r\nabc\r\n0 \r\n\r\n"), 400),
    Case("vertical tab behind", chunks(b"3\x0b\r\nabc\r\n0\r\n\r\n"), 400),
    Case("NUL behind", chunks(b"3\x00\r\nabc\r\n0\r\n\r\n"), 400),
    Case("letters that are no hex", chunks(b"3xyz\r\nabc\r\n0\r\n\r\n"), 400),
    Case("quoted", chunks(b'"3"\r\nabc\r\n0\r\n\r\n'), 400),
    Case("empty", chunks(b"\r\nabc\r\n0\r\n\r\n"), 400),
    Case("empty line between chunks", chunks(b"3\r\nabc\r\n\r\n0\r\n\r\n"), 400),
    Case("empty line for the end", chunks(b"\r\n\r\n" + SMUGGLED), 400),
    Case("2**64", chunks(b"10000000000000000\r\nabc\r\n0\r\n\r\n"), 400),
    Case("2**64 + 3", chunks(b"10000000000000003\r\nabc\r\n0\r\n\r\n"), 400),
    Case("2**32 + 3", chunks(b"100000003\r\nabc\r\n0\r\n\r\n"), MAY),
    Case("100 digits", chunks(b"f" * 100 + b"\r\nabc\r\n0\r\n\r\n"), 400),
    Case("ends with LF", chunks(b"3\nabc\r\n0\r\n\r\n"), 400),
    Case("ends with CR", chunks(b"3\rabc\r\n0\r\n\r\n"), 400),
    Case("ends with CR and a byte", chunks(b"3\rXabc\r\n0\r\n\r\n"), 400),
    Case("ends with CR CR", chunks(b"3\r\r\nabc\r\n0\r\n\r\n"), 400),
    Case("data end with LF", chunks(b"3\r\nabc\n0\r\n\r\n"), 400),
    Case("data end with CR", chunks(b"3\r\nabc\r0\r\n\r\n"), 400),
    Case("data end with nothing", chunks(b"3\r\nabc0\r\n\r\n"), 400),
    Case("data end with any two bytes", chunks(b"3\r\nabcXX0\r\n\r\n"), 400),
    Case("data end with LF LF", chunks(b"3\r\nabc\n\n0\r\n\r\n"), 400),
    Case("data too long", chunks(b"3\r\nabcd\r\n0\r\n\r\n"), 400),
    Case("last chunk ends with LF", chunks(b"3\r\nabc\r\n0\n\r\n"), 400),
    Case("last chunk ends with LF LF", chunks(b"3\r\nabc\r\n0\n\n"), 400),
    Case("trailer section ends with LF", chunks(b"3\r\nabc\r\n0\r\n\n"), 400),
    Case("trailer section ends with CR and a byte", chunks(b"3\r\nabc\r\n0\r\n\rX" + SMUGGLED), 400),
    Case("no last chunk, then a request", chunks(b"3\r\nabc\r\n" + SMUGGLED), 400),
    Case("data that look like the end", chunks(b"5\r\n0\r\n\r\n\r\n0\r\n\r\n"), PASS),
    Case("data that look like the end and a request", chunks(b"%x\r\n%s\r\n0\r\n\r\n" % (len(CHUNKED), CHUNKED)), PASS),
    Case("one byte a chunk", chunks(b"1\r\nx\r\n" * 100 + b"0\r\n\r\n"), PASS),
]

EXTENSIONS = [
    Case("name", chunks(b"3;a\r\nabc\r\n0\r\n\r\n"), MAY),
    Case("name and value", chunks(b"3;a=b\r\nabc\r\n0\r\n\r\n"), MAY),
    Case("quoted value", chunks(b'3;a="b c"\r\nabc\r\n0\r\n\r\n'), MAY),
    Case("quoted pair", chunks(b'3;a="b\\"c"\r\nabc\r\n0\r\n\r\n'), MAY),
    Case("several", chunks(b"3;a=b;c;d=e\r\nabc\r\n0\r\n\r\n"), MAY),
    Case("behind the last chunk", chunks(b"3\r\nabc\r\n0;a=b\r\n\r\n"), MAY),
    Case("space around", chunks(b"3 ; a = b\r\nabc\r\n0\r\n\r\n"), MAY),
    Case("CR before the semicolon", chunks(b"2\r\r;a\r\n02\r\n2d\r\n0\r\n\r\n" + SMUGGLED), 400),
    Case("LF behind the name", chunks(b"3;a\nabc\r\n0\r\n\r\n"), 400),
    Case("LF behind the semicolon", chunks(b"3;\nabc\r\n0\r\n\r\n"), 400),
    Case("LF inside, the other end later", chunks(b"2;\nxx\r\n4c\r\n0\r\n\r\n" + SMUGGLED), 400),
    Case("CR inside", chunks(b"3;a\rb\r\nabc\r\n0\r\n\r\n"), 400),
    Case("CR in a value", chunks(b"3;a=b\rc\r\nabc\r\n0\r\n\r\n"), 400),
    Case("LF in a quoted value", chunks(b'3;a="b\nc"\r\nabc\r\n0\r\n\r\n'), 400),
    Case("CR LF in a quoted value", chunks(b'3;a="b\r\nabc\r\n0\r\n\r\n"'), 400),
    Case("NUL", chunks(b"3;\x00a\r\nabc\r\n0\r\n\r\n"), 400),
    Case("control byte", chunks(b"3;a=\x01\r\nabc\r\n0\r\n\r\n"), 400),
    Case("equals without a name", chunks(b"3;=b\r\nabc\r\n0\r\n\r\n"), MAY),
    Case("semicolon alone", chunks(b"3;\r\nabc\r\n0\r\n\r\n"), 400),
    Case("semicolon first", chunks(b";a\r\nabc\r\n0\r\n\r\n"), 400),
    Case("space without a semicolon", chunks(b"3 a\r\nabc\r\n0\r\n\r\n"), 400),
    Case("flood of one", chunks(b"3;" + b"a" * 100_000 + b"\r\nabc\r\n0\r\n\r\n"), 400),
    Case("flood of many", chunks(b"1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n" * 2000 + b"0\r\n\r\n"), 400),
]

TRAILERS = [
    Case("one", chunks(b"3\r\nabc\r\n0\r\nA: b\r\n\r\n"), PASS),
    Case("two of one name", chunks(b"3\r\nabc\r\n0\r\nA: b\r\nA: c\r\n\r\n"), PASS),
    Case("Content-Length", chunks(b"3\r\nabc\r\n0\r\nContent-Length: 50\r\n\r\n"), MAY),
    Case("Transfer-Encoding", chunks(b"3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n" + SMUGGLED), MAY),
    Case("Host", chunks(b"3\r\nabc\r\n0\r\nHost: evil\r\n\r\n"), MAY),
    Case("Connection", chunks(b"3\r\nabc\r\n0\r\nConnection: close\r\n\r\n"), MAY),
    Case("X-Forwarded-For", chunks(b"3\r\nabc\r\n0\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n"), MAY),
    Case("Authorization", chunks(b"3\r\nabc\r\n0\r\nAuthorization: x\r\n\r\n"), MAY),
    Case("underscore for the hyphen of CL", chunks(b"3\r\nabc\r\n0\r\nContent_Length: 50\r\n\r\n"), MAY),
    Case("folded", chunks(b"3\r\nabc\r\n0\r\nA: b\r\n c\r\n\r\n"), 400),
    Case("folded first", chunks(b"3\r\nabc\r\n0\r\n A: b\r\n\r\n"), 400),
    Case("space before the colon", chunks(b"3\r\nabc\r\n0\r\nA : b\r\n\r\n"), 400),
    Case("no colon", chunks(b"3\r\nabc\r\n0\r\nGET /smuggled HTTP/1.1\r\n\r\n"), 400),
    Case("empty name", chunks(b"3\r\nabc\r\n0\r\n: b\r\n\r\n"), 400),
    Case("NUL", chunks(b"3\r\nabc\r\n0\r\nA: \x00\r\n\r\n"), 400),
    Case("LF", chunks(b"3\r\nabc\r\n0\r\nA: b\n\r\n"), 400),
    Case("LF LF", chunks(b"3\r\nabc\r\n0\r\nA: b\n\n" + SMUGGLED), 400),
    Case("CR in a value", chunks(b"3\r\nabc\r\n0\r\nA: b\rc\r\n\r\n"), 400),
    Case("1,000", chunks(b"3\r\nabc\r\n0\r\n" + b"A: b\r\n" * 1000 + b"\r\n"), 400),
    Case("100 KiB", chunks(b"3\r\nabc\r\n0\r\nA: " + b"b" * 100_000 + b"\r\n\r\n"), 400),
]

REQUEST_LINES = [
    Case("HTTP/0.9", b"GET /a\r\n\r\n", 400),
    Case("HTTP/0.9 with the version", get(version=b"HTTP/0.9"), 505),
    Case("HTTP/1.0", raw(b"GET /a HTTP/1.0", b"Host: h"), PASS),
    Case("HTTP/1.0 without Host", raw(b"GET /a HTTP/1.0"), MAY),
    Case("HTTP/1.0 with keep-alive", raw(b"GET /a HTTP/1.0", b"Host: h", b"Connection: keep-alive") + get(target=b"/b"), PASS),
    Case("HTTP/1.2", get(version=b"HTTP/1.2"), 505),
    Case("HTTP/2.0", get(version=b"HTTP/2.0"), 505),
    Case("HTTP/2", get(version=b"HTTP/2"), 505),
    Case("HTTP/3.0", get(version=b"HTTP/3.0"), 505),
    Case("preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 505),
    Case("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n\r\n", 400),
    Case("http/1.1", get(version=b"http/1.1"), 400),
    Case("HTTP/1.10", get(version=b"HTTP/1.10"), 400),
    Case("HTTP/01.1", get(version=b"HTTP/01.1"), 400),
    Case("HTTP/1.1.1", get(version=b"HTTP/1.1.1"), 400),
    Case("HTTP/1,1", get(version=b"HTTP/1,1"), 400),
    Case("HTTP/1.", get(version=b"HTTP/1."), 400),
    Case("HTTP /1.1", get(version=b"HTTP /1.1"), 400),
    Case("HTTP", get(version=b"HTTP"), 400),
    Case("ICE/1.0", get(version=b"ICE/1.0"), 400),
    Case("RTSP/1.0", get(version=b"RTSP/1.0"), 400),
    Case("space behind the version", get(version=b"HTTP/1.1 "), 400),
    Case("word behind the version", get(version=b"HTTP/1.1 x"), 400),
    Case("version twice", get(target=b"/a HTTP/1.1"), 400),
    Case("CR behind the version", get(version=b"HTTP/1.1\r"), 400),
    Case("LF behind the version", b"GET /a HTTP/1.1\nHost: h\r\n\r\n", 400),
    Case("LF everywhere", b"GET /a HTTP/1.1\nHost: h\n\n", 400),
    Case("CR everywhere", b"GET /a HTTP/1.1\rHost: h\r\r", 400),
    Case("LF at the end", b"GET /a HTTP/1.1\r\nHost: h\r\n\n", 400),
    Case("LF CR at the end", b"GET /a HTTP/1.1\r\nHost: h\n\r\n\r\n", 400),
    Case("LF for a space", b"GET /a\nHTTP/1.1\r\nHost: h\r\n\r\n", 400),
    Case("two spaces behind the method", b"GET  /a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    Case("two spaces before the version", b"GET /a  HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    Case("tab behind the method", b"GET\t/a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    Case("tab before the version", b"GET /a\tHTTP/1.1\r\nHost: h\r\n\r\n", 400),
    Case("form feed before the version", b"GET /a\x0cHTTP/1.1\r\nHost: h\r\n\r\n", 400),
    Case("space before the method", b" GET /a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    Case("tab before the method", b"\tGET /a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    Case("NUL before the method", b"\0GET /a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    Case("byte order mark before the method", b"\xef\xbb\xbfGET /a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    Case("space in the target", get(target=b"/a b"), 400),
    Case("no target", b"GET HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    Case("empty target", b"GET  HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    Case("CR LF before", b"\r\n" + get(), MAY),
    Case("many CR LF before", b"\r\n" * 20 + get(), MAY),
    Case("LF before", b"\n" + get(), 400),
    Case("CR before", b"\r" + get(), 400),
    Case("CR LF between requests", get() + b"\r\n" + get(target=b"/b"), MAY),
    Case("CR LF behind a body", post(b"Content-Length: 3", body=b"abc") + b"\r\n" + get(target=b"/b"), MAY),
    Case("unknown method", b"BREW /a HTTP/1.1\r\nHost: h\r\n\r\n", PASS),
    Case("method in lower case", b"get /a HTTP/1.1\r\nHost: h\r\n\r\n", MAY),
    Case("method that begins like a known one", b"GETX /a HTTP/1.1\r\nHost: h\r\n\r\n", PASS),
    Case("every mark that a method may have", b"A!#$%&'*+-.^_`|~ /a HTTP/1.1\r\nHost: h\r\n\r\n", MAY),
    Case("unknown method with a chunked body", b"BREW /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", PASS),
    Case("mark that a method may not have", b"GE/T /a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    Case("colon in the method", b"GET: /a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    Case("quote in the method", b'G"T /a HTTP/1.1\r\nHost: h\r\n\r\n', 400),
    Case("NUL in the method", b"GE\0T /a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    Case("non-ASCII in the method", b"G\xc9T /a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    Case("TRACE", b"TRACE /a HTTP/1.1\r\nHost: h\r\n\r\n", PASS),
    Case("status line", b"HTTP/1.1 200 OK\r\nHost: h\r\n\r\n", 400),
    Case("CONNECT", b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", 501),
    Case("CONNECT in lower case", b"connect /a HTTP/1.1\r\nHost: h\r\n\r\n" + SMUGGLED, 501),
    Case("CONNECT of a path", b"CONNECT /a HTTP/1.1\r\nHost: h\r\n\r\n", 501),
    Case("CONNECT, then a request", b"CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n" + SMUGGLED, 501),
]  # fmt: skip

TARGETS = [
    Case("absolute form, equal Host", get(target=b"http://h/a?b"), PASS),
    Case("absolute form, upper case", get(target=b"HTTP://h/a"), MAY),
    Case("absolute form, https", get(target=b"https://h/a"), MAY),
    Case("absolute form, no path", get(target=b"http://h"), MAY),
    Case("absolute form, query without a path", get(target=b"http://h?b"), MAY),
    Case("absolute form, other Host", get(target=b"http://evil/a"), 400),
    Case("absolute form, other port", get(target=b"http://h:81/a"), 400),
    Case("absolute form, user", get(target=b"http://h@evil/a"), 400),
    Case("absolute form, user and equal Host", get(target=b"http://evil@h/a"), 400),
    Case("absolute form, Host twice", raw(b"GET http://h/a HTTP/1.1", b"Host: h", b"Host: evil"), 400),
    Case("absolute form, no Host", raw(b"GET http://h/a HTTP/1.1"), 400),
    Case("absolute form, empty host", get(target=b"http:///a"), 400),
    Case("absolute form, another scheme", get(target=b"ftp://h/a"), 400),
    Case("absolute form, file", get(target=b"file:///etc/passwd"), 400),
    Case("absolute form, backslash", get(target=b"http:\\\\h\\a"), 400),
    Case("absolute form, one slash", get(target=b"http:/h/a"), 400),
    Case("absolute form, fragment", get(target=b"http://h/a#b"), 400),
    Case("authority form", get(target=b"h:80"), 400),
    Case("host alone", get(target=b"h"), 400),
    Case("@ first", get(target=b"@evil/a"), 400),
    Case("dot first", get(target=b"./a"), 400),
    Case("query first", get(target=b"?a"), 400),
    Case("asterisk", get(target=b"*"), 400),
    Case("asterisk of OPTIONS", b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", PASS),
    Case("asterisk and more", b"OPTIONS *a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    Case("fragment", get(target=b"/a#b"), 400),
    Case("fragment alone", get(target=b"#b"), 400),
    Case("NUL", get(target=b"/a\0b"), 400),
    Case("control byte", get(target=b"/a\x01b"), 400),
    Case("DEL", get(target=b"/a\x7fb"), 400),
    Case("CR", get(target=b"/a\rb"), 400),
    Case("non-ASCII", get(target=b"/a\xe9"), MAY),
    Case("UTF-8", get(target="/ä".encode()), MAY),
    Case("no-break space for a space", get(target=b"/a\xa0HTTP/1.1"), MAY),
    Case("percent encoding kept", get(target=b"/a%2Fb%2e%2E//../c?d=%00&e"), PASS),
    Case("encoded CR LF", get(target=b"/a%0d%0aHost:%20evil"), PASS),
    Case("bad percent encoding", get(target=b"/%zz%"), PASS),
    Case("empty query", get(target=b"/a?"), PASS),
    Case("two slashes", get(target=b"//evil/a"), PASS),
    Case("marks that browsers send", get(target=b'/a|b{c}"<>\\^`[]'), MAY),
]

HOSTS = [
    Case("missing", raw(b"GET /a HTTP/1.1"), 400),
    Case("missing, other fields", raw(b"GET /a HTTP/1.1", b"A: b"), 400),
    Case("twice, different", get(b"Host: evil"), 400),
    Case("twice, equal", get(b"Host: h"), 400),
    Case("twice, other case", get(b"HOST: evil"), 400),
    Case("twice, one folded", get(b" Host: evil"), 400),
    Case("empty", raw(b"GET /a HTTP/1.1", b"Host:"), MAY),
    Case("list", raw(b"GET /a HTTP/1.1", b"Host: h, evil"), 400),
    Case("comma", raw(b"GET /a HTTP/1.1", b"Host: h,evil"), 400),
    Case("space", raw(b"GET /a HTTP/1.1", b"Host: h evil"), 400),
    Case("path", raw(b"GET /a HTTP/1.1", b"Host: h/b"), 400),
    Case("query", raw(b"GET /a HTTP/1.1", b"Host: h?b"), 400),
    Case("fragment", raw(b"GET /a HTTP/1.1", b"Host: h#b"), 400),
    Case("user", raw(b"GET /a HTTP/1.1", b"Host: evil@h"), 400),
    Case("scheme", raw(b"GET /a HTTP/1.1", b"Host: http://h"), 400),
    Case("port", raw(b"GET /a HTTP/1.1", b"Host: h:8888"), PASS),
    Case("port that is no number", raw(b"GET /a HTTP/1.1", b"Host: h:80a"), 400),
    Case("two ports", raw(b"GET /a HTTP/1.1", b"Host: h:80:81"), 400),
    Case("IPv6", raw(b"GET /a HTTP/1.1", b"Host: [::1]:80"), PASS),
    Case("half an IPv6", raw(b"GET /a HTTP/1.1", b"Host: [::1"), 400),
    Case("backslash", raw(b"GET /a HTTP/1.1", b"Host: h\\evil"), 400),
    Case("NUL", raw(b"GET /a HTTP/1.1", b"Host: h\0evil"), 400),
    Case("non-ASCII", raw(b"GET /a HTTP/1.1", b"Host: h\xe9"), 400),
    Case("quotes", raw(b"GET /a HTTP/1.1", b'Host: "h"'), 400),
    Case("angle brackets", raw(b"GET /a HTTP/1.1", b"Host: <h>"), 400),
]

CONNECTIONS = [
    Case("names Host", get(b"Connection: Host"), 400),
    Case("names Content-Length", post(b"Connection: Content-Length", b"Content-Length: 3", body=b"abc"), 400),
    Case("names Transfer-Encoding", post(b"Connection: Transfer-Encoding", TE, body=b"3\r\nabc\r\n0\r\n\r\n"), 400),
    Case("names itself", get(b"Connection: Connection"), MAY),
    Case("names X-Forwarded-For", get(b"Connection: X-Forwarded-For", b"X-Forwarded-For: 1.2.3.4"), MAY),
    Case("names Forwarded", get(b"Connection: Forwarded"), MAY),
    Case("names Content-Type", post(b"Connection: Content-Type", b"Content-Type: a/b"), MAY),
    Case("names Authorization", get(b"Connection: close, Authorization", b"Authorization: x"), MAY),
    Case("names a field", get(b"Connection: A", b"A: b", b"C: d"), PASS),
    Case("names a field, other case", get(b"connection: aBc", b"AbC: b"), PASS),
    Case("twice", get(b"Connection: A", b"Connection: C", b"A: b", b"C: d"), PASS),
    Case("empty elements", get(b"Connection: , ,A,,", b"A: b"), PASS),
    Case("no token", get(b"Connection: a b"), MAY),
    Case("Keep-Alive", get(b"Keep-Alive: timeout=5", b"Connection: keep-alive"), PASS),
    Case("Proxy-Connection", get(b"Proxy-Connection: keep-alive"), PASS),
    Case("close, then a request", get(b"Connection: close") + SMUGGLED, PASS),
    Case("TE: trailers", get(b"TE: trailers", b"Connection: TE"), PASS),
    Case("TE: chunked", get(b"TE: chunked", b"Connection: TE"), PASS),
    Case("X-Forwarded-For twice", get(b"X-Forwarded-For: 1.2.3.4", b"X-Forwarded-For: 5.6.7.8"), PASS),
    Case("X-Forwarded-Proto twice", get(b"X-Forwarded-Proto: https", b"X-Forwarded-Proto: http"), PASS),
    Case("Forwarded with quotes that do not end", get(b'Forwarded: for="1.2.3.4'), MAY),
    Case("Expect: 100-continue", post(b"Content-Length: 3", b"Expect: 100-continue", body=b"abc"), PASS),
    Case("Expect without a body", get(b"Expect: 100-continue"), MAY),
    Case("Expect of something else", post(b"Content-Length: 3", b"Expect: cow", body=b"abc"), 417),
    Case("Expect in other words", post(b"Content-Length: 3", b"Expect: 100-continue, cow", body=b"abc"), 417),
    Case("Expect with a space before", post(b"Content-Length: 3", b" Expect: 100-continue", body=b"abc"), 400),
    Case("Expect twice", post(b"Content-Length: 3", b"Expect: 100-continue", b"Expect: 100-continue", body=b"abc"), 417),
    Case("0.CL: Expect, and a request behind a length", post(b"Expect: y 100-continue", b"Content-Length: 37", body=SMUGGLED), 417),
    Case("Upgrade without Connection", get(b"Upgrade: websocket"), MAY),
    Case("Upgrade: h2c", get(b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", b"Connection: Upgrade, HTTP2-Settings"), MAY),
    Case("Upgrade: h2c in a list", get(b"Upgrade: websocket, h2c", b"Connection: Upgrade"), MAY),
    Case("Upgrade: h2c in other case", get(b"Upgrade: H2C", b"Connection: upgrade"), MAY),
    Case("Upgrade with a body", post(b"Upgrade: websocket", b"Connection: Upgrade", b"Content-Length: 3", body=b"abc"), MAY),
    Case("Upgrade with a chunked body", post(b"Upgrade: websocket", b"Connection: Upgrade", TE, body=b"3\r\nabc\r\n0\r\n\r\n"), MAY),
    Case("Upgrade that is refused, then a request", get(b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 777", b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="), MAY),
    Case("HTTP2-Settings alone", get(b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"), MAY),
]  # fmt: skip

PIPELINES = [
    Case("two", get() + get(target=b"/b"), PASS),
    Case("twenty", b"".join(get(target=b"/%d" % at) for at in range(20)), PASS),
    Case("bodies of both kinds", post(b"Content-Length: 3", body=b"abc") + chunks(b"3\r\ndef\r\n0\r\n\r\n") + get(target=b"/b"), PASS),
    Case("the second is bad", get() + b"GARBAGE\r\n\r\n", 400),
    Case("the second is framed twice", get() + post(CL, TE, body=CHUNKED), 400),
    Case("the second has no Host", get() + raw(b"GET /smuggled HTTP/1.1"), 400),
    Case("the second is HTTP/2", get() + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    Case("the second has a bad body", get() + chunks(b"3\r\nabcX"), 400),
    Case("a body longer than its length", post(b"Content-Length: 3", body=b"abcdef"), PASS),
    Case("a body that ends where a bad request begins", post(b"Content-Length: 3", body=b"abc") + b"\0\0\r\n\r\n", 400),
    Case("HEAD, then GET", b"HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n" + get(target=b"/b"), PASS),
    Case("half of the third", get() + get(target=b"/b") + b"GET /smuggled HTTP/1.1\r\nHo", PASS),
]  # fmt: skip

SIZES = [
    Case("target of 100 KiB", get(target=b"/" + b"a" * 100_000), 414),
    Case("target that does not end", b"GET /" + b"a" * 100_000, 414),
    Case("field of 100 KiB", get(b"A: " + b"b" * 100_000), 431),
    Case("field that does not end", b"GET /a HTTP/1.1\r\nHost: h\r\nA: " + b"b" * 100_000, 431),
    Case("name of 100 KiB", get(b"A" * 100_000 + b": b"), 431),
    Case("1,000 fields", get(*[b"A: b"] * 1000), 431),
    Case("empty lines without end", b"\r\n" * 50_000 + get(), MAY),
    Case("method of 20 KiB", b"A" * 20_000 + b" / HTTP/1.1\r\nHost: h\r\n\r\n", MAY),
    Case("method that does not end", b"A" * 100_000, 414),
]

TABLES = {
    "framed twice": FRAMED_TWICE,
    "Transfer-Encoding": CODINGS,
    "names": NAMES,
    "Content-Length": LENGTHS,
    "chunk sizes": CHUNK_SIZES,
    "chunk extensions": EXTENSIONS,
    "trailers": TRAILERS,
    "request line": REQUEST_LINES,
    "target": TARGETS,
    "Host": HOSTS,
    "Connection": CONNECTIONS,
    "pipelines": PIPELINES,
    "sizes": SIZES,
}
CASES = [Case(f"{table}: {case.name}", case.data, case.expected) for table, cases in TABLES.items() for case in cases]
