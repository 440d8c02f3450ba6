"""Signatures, compared with examples published by AWS and with the signer of the SDK."""

import calendar
import time
from dataclasses import dataclass
from hashlib import sha256
from types import SimpleNamespace
from urllib.parse import unquote

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from dequeuer.aws.credentials.renewal import FrozenKeys
from dequeuer.aws.signing import EMPTY_HASH, Signer, query, quoted

SUITE_NOW = calendar.timegm((2015, 8, 30, 12, 36, 0))
S3_NOW = calendar.timegm((2013, 5, 24, 0, 0, 0))
SUITE_HOST = ("host", "example.amazonaws.com")
S3_HOST = ("host", "examplebucket.s3.amazonaws.com")
UNRESERVED = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Keys:
    access_key: str
    secret_key: str
    token: str | None = None


SUITE_KEYS: FrozenKeys = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
S3_KEYS: FrozenKeys = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")


def split(lines: str) -> dict[str, str]:
    return dict(line.split(":", 1) for line in lines.splitlines())


def authorization(lines: str) -> str:
    return split(lines)["authorization"]


# From the "Signature Version 4 test suite".
@pytest.mark.parametrize(
    ("method", "path", "parameters", "fields", "signed", "signature"),
    [
        ("GET", "/", [], [], "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "/", [], [], "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        ("GET", "/", [("Param2", "value2"), ("Param1", "value1")], [], "host;x-amz-date", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
        ("GET", f"/{UNRESERVED}", [], [], "host;x-amz-date", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
        ("POST", "/", [], [("my-header1", "VALUE1")], "host;my-header1;x-amz-date", "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"),
        ("GET", "/", [], [("my-header1", " value1"), ("my-header2", '"a   b   c"')], "host;my-header1;my-header2;x-amz-date", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
    ],
)  # fmt: skip
def test_the_published_suite(
    method: str,
    path: str,
    parameters: list[tuple[str, str]],
    fields: list[tuple[str, str]],
    signed: str,
    signature: str,
) -> None:
    signer = Signer("service", "us-east-1")
    made = signer.sign(
        method, quoted(path), query(parameters), [SUITE_HOST, *fields], EMPTY_HASH, SUITE_KEYS, SUITE_NOW
    )
    assert authorization(made) == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={signed}, Signature={signature}"
    )


# From "Signature Calculations for the Authorization Header", in the documentation of S3.
@pytest.mark.parametrize(
    ("method", "path", "parameters", "fields", "body", "signature"),
    [
        ("GET", "/test.txt", [], [("range", "bytes=0-9")], b"", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
        ("PUT", "/test$file.text", [], [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")], b"Welcome to Amazon S3.", "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
        ("GET", "/", [("lifecycle", "")], [], b"", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        ("GET", "/", [("prefix", "J"), ("max-keys", "2")], [], b"", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ],
)  # fmt: skip
def test_the_published_examples_of_s3(
    method: str,
    path: str,
    parameters: list[tuple[str, str]],
    fields: list[tuple[str, str]],
    body: bytes,
    signature: str,
) -> None:
    digest = sha256(body).hexdigest()
    every = [S3_HOST, ("x-amz-content-sha256", digest), *fields]
    signer = Signer("s3", "us-east-1")
    made = signer.sign(method, quoted(path), query(parameters), every, digest, S3_KEYS, S3_NOW)
    assert authorization(made).endswith(f"Signature={signature}")


text = st.text(st.characters(min_codepoint=32, max_codepoint=0x10FFFF, exclude_categories=["Cs"]), max_size=20)
plain = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)


@settings(max_examples=200, deadline=None)
@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE"]),
    key=text.filter(lambda key: "/../" not in f"/{key}/" and "/./" not in f"/{key}/"),
    parameters=st.dictionaries(plain, text, max_size=3),
    value=plain,
    body=st.binary(max_size=50),
    token=st.none() | plain,
    service=st.sampled_from(["s3", "sqs"]),
)
def test_the_sdk_signs_alike(
    method: str, key: str, parameters: dict[str, str], value: str, body: bytes, token: str | None, service: str
) -> None:
    # Only S3 requests have paths; the path of SQS is always /.
    path = quoted(f"/{key}") if service == "s3" else "/"
    digest = sha256(body).hexdigest()
    fields = [("host", "example.com"), ("x-amz-content-sha256", digest), ("x-amz-meta-a", value)]
    asked = query(parameters.items())
    keys = Keys("AKID", "secret", token)
    now = int(time.time())
    made = split(Signer(service, "eu-west-1").sign(method, path, asked, fields, digest, keys, now))

    url = f"https://example.com{path}" + (f"?{asked}" if asked else "")
    theirs = AWSRequest(method, url, headers=dict(fields), data=body)
    theirs.context["timestamp"] = made["x-amz-date"]
    theirs.context["payload_signing_enabled"] = True
    signer = (S3SigV4Auth if service == "s3" else SigV4Auth)(Credentials("AKID", "secret", token), service, "eu-west-1")
    theirs.headers["X-Amz-Date"] = made["x-amz-date"]
    if token:
        theirs.headers["X-Amz-Security-Token"] = token
    canonical = signer.canonical_request(theirs)
    expected = signer.signature(signer.string_to_sign(theirs, canonical), theirs)
    assert made["authorization"].endswith(f"Signature={expected}"), canonical


def test_keys_and_seconds_are_not_mixed_up() -> None:
    signer = Signer("s3", "us-east-1")
    other: FrozenKeys = SimpleNamespace(access_key="other", secret_key="other", token="t")

    def sign(keys: FrozenKeys, now: float) -> str:
        return signer.sign("GET", "/", "", [S3_HOST], EMPTY_HASH, keys, now)

    first = sign(S3_KEYS, S3_NOW)
    assert sign(S3_KEYS, S3_NOW + 0.5) == first
    assert sign(other, S3_NOW) != first
    assert sign(S3_KEYS, S3_NOW + 1) != first
    assert sign(S3_KEYS, S3_NOW) == first
    assert split(sign(other, S3_NOW))["x-amz-security-token"] == "t"
    tomorrow = split(sign(S3_KEYS, S3_NOW + 86_400))
    assert "/20130525/" in tomorrow["authorization"]


def test_a_wrong_clock_is_corrected_in_what_is_signed() -> None:
    signer = Signer("s3", "us-east-1")
    signer.skew_s = -3600
    assert (
        split(signer.sign("GET", "/", "", [S3_HOST], EMPTY_HASH, S3_KEYS, S3_NOW))["x-amz-date"] == "20130523T230000Z"
    )


@given(text)
def test_a_path_comes_back_as_it_was(key: str) -> None:
    assert unquote(quoted(key)) == key
