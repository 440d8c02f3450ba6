"""Parsers of names: of APIs, regions, buckets, accounts, keys and files."""

from __future__ import annotations

import re

from dequeuer.settings.parsers import InvalidValueError, Parser


def _pattern(pattern: str, allowed: str) -> Parser[str]:
    # fullmatch, not match with $: that would let a trailing newline through into a key or a header.
    compiled = re.compile(pattern)

    def read(text: str) -> str:
        if compiled.fullmatch(text) is None:
            raise InvalidValueError
        return text

    return Parser(allowed=allowed, read=read)


def _read_path(text: str) -> str:
    if not text.isprintable() or len(text) > 4096:
        raise InvalidValueError
    return text


NAME = _pattern(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", 'a letter or digit, then up to 127 of letters, digits, ".", "_" and "-"'
)
REGION = _pattern(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", "the name of an AWS region, such as us-west-2")
BUCKET = _pattern(
    # Not two dots in a row, and not the form of an IPv4 address: S3 has no such bucket.
    r"(?!.*\.\.|[0-9]+(?:\.[0-9]+){3}\Z)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]|"
    r"arn:aws[a-z-]*:s3[a-z-]*:[a-z0-9-]+:[0-9]{12}:"
    r"(?:outpost[/:][a-z0-9-]{1,64}[/:])?accesspoint[/:][A-Za-z0-9._-]{1,128}",
    'a bucket name (3 to 63 of a-z, 0-9, "." and "-") or the ARN of an access point',
)
ACCOUNT = _pattern(r"[0-9]{12}", "the id of an AWS account, 12 digits")
KMS_KEY = _pattern(
    r"(?:arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:(?:key|alias)/)?[A-Za-z0-9][A-Za-z0-9/_-]{0,255}",
    "the id, the alias (alias/my-key) or the ARN of a KMS key",
)
PATH = Parser(allowed="the path of a file", read=_read_path)
