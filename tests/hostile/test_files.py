"""Files and settings with arbitrary content: a value, or faults of bounded length that name the file."""

from __future__ import annotations

import contextlib
import json
import math
import tempfile
from pathlib import Path

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dequeuer.core.errors import ConfigurationError, InvalidInputError
from dequeuer.formats.headers import MAX_BYTES, MAX_FIELDS, dump_headers, forwardable, parse_headers
from dequeuer.formats.media_type import is_json
from dequeuer.formats.retry_after import parse_retry_after
from dequeuer.probes import spec
from dequeuer.probes.http_get import HttpGetProbe
from dequeuer.probes.spec import load_probes
from dequeuer.settings import load_sidecar
from tests.hostile.evidence import CANARY
from tests.settings.environments import ASYNC

ANY = settings(max_examples=150, suppress_health_check=list(HealthCheck), print_blob=True)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from([8080, "8080", 1, 2**31, "x" * 10_000])
)  # fmt: skip
FIELDS = st.sampled_from(
    [*spec.PROBE_FIELDS, *spec.HTTP_GET_FIELDS, *spec.HEADER_FIELDS, "web", "HTTPS", "\0", "\ud800", "x" * 5000]
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4), max_leaves=15
)
SECRET = {"name": "Authorization", "value": f"{CANARY}\0"}
PROBES = st.dictionaries(
    FIELDS,
    JSON
    | st.fixed_dictionaries(
        {"httpGet": st.fixed_dictionaries({"port": SCALARS}, optional={"host": SCALARS, "path": SCALARS, "scheme": SCALARS})},
        optional={"periodSeconds": SCALARS, "tcpSocket": JSON},
    )
    | st.just({"httpGet": {"port": 1, "httpHeaders": [SECRET]}}),
    max_size=3,
)  # fmt: skip


def judge(error: ConfigurationError, path: str) -> None:
    """Check that faults can be shown: few, short, printable, naming the file, and without a secret."""
    assert error.faults
    assert len(error.faults) <= 60
    for fault in error.faults:
        assert len(fault) <= 2000
        assert fault.isprintable()
        assert path in fault or Path(path).name in fault
        assert CANARY not in fault


def load(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "probes.json")
        path.write_bytes(data)
        try:
            probes = load_probes(str(path), 8080)
        except ConfigurationError as error:
            judge(error, str(path))
            return
    for probe in probes:
        assert 1 <= len(probe.name) <= 80
        timing = probe.timing
        assert 0 <= timing.initial_delay_s <= 2**31
        assert all(0 < value <= 2**31 for value in (timing.timeout_s, timing.period_s, timing.failure_threshold))
        if isinstance(probe, HttpGetProbe):
            assert probe._url(probe.host).host
            assert CANARY not in repr(probe)


@given(PROBES)
@ANY
def test_probes_of_any_shape(document: object) -> None:
    load(json.dumps(document).encode())


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
@example(b"[" * 1_000_000)
@example(b'{"a":' * 100_000)
@example(b"9" * 5000)
@example(b" " * (spec.MAX_FILE_BYTES + 1))
@example(b'{"web": {"httpGet": {"port": NaN}}}')
@example(b"\xef\xbb\xbf{}")
@ANY
def test_probes_of_any_bytes(data: bytes) -> None:
    with contextlib.suppress(UnicodeEncodeError):
        load(data)


def load_cluster(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "cluster.yaml")
        path.write_bytes(data)
        try:
            loaded = load_sidecar(["--cluster-config", str(path)], ASYNC, cluster_config="/nonexistent")
        except ConfigurationError as error:
            judge(error, str(path))
            return
    assert loaded.bucket == "my-bucket"  # the environment wins


YAML = st.recursive(
    st.none() | st.booleans() | st.integers() | st.dates() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["region", "bucket", "x"]) | st.integers(), inner, max_size=3)
    ),
    max_leaves=10,
)
BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%b]\n" % (at + 1, at + 1, b",".join([b"*%c" % at] * 9)) for at in range(97, 109)
)


@given(YAML)
@ANY
def test_cluster_files_of_any_shape(document: object) -> None:
    load_cluster(yaml.safe_dump(document, allow_unicode=True).encode(errors="replace"))


@given(st.binary(max_size=200) | st.text("[]{}:,&*!|>-? \n\tab'\"%@`#", max_size=60).map(str.encode))
@example(BOMB)
@example(b"[" * 500_000)
@example(b"- " * 500_000)
@example(b"? " * 100_000)
@example(b"a: &a [*a]")
@example(b"!!python/object/apply:os.system ['true']")
@example(b"region: !!binary ////")
@example(b"{<<: [*x]}")
@example(b"region: 0o" + b"7" * 6000)
@example(b"region: 1:" + b"59:" * 3000 + b"1")
@ANY
def test_cluster_files_of_any_bytes(data: bytes) -> None:
    load_cluster(data)


HEADER_TEXTS = st.text(max_size=20) | st.sampled_from(
    ["a\r\nb", "\0", CANARY, "\ud800", "x" * 70_000, "close, X-A", "İ"]
)
NAMES = st.sampled_from(
    ["Host", "Connection", "X-A", "x-a", "Content-Length", "", "X A", "X\r\nB", "\u017f"]
) | st.text(max_size=5)


@given(st.dictionaries(NAMES, JSON | st.lists(HEADER_TEXTS, max_size=4), max_size=5) | JSON)
@ANY
def test_headers_of_any_shape(document: object) -> None:
    judge_headers(json.dumps(document).encode())


@given(st.binary(max_size=100))
@example(b"[" * 200_000)
@example(b"9" * 5000)
@example(b'{"A": NaN}')
@ANY
def test_headers_of_any_bytes(data: bytes) -> None:
    judge_headers(data)


def judge_headers(data: bytes) -> None:
    refusal = ""
    try:
        fields = parse_headers(data)
    except InvalidInputError as error:
        refusal = str(error)
    if refusal:
        assert len(refusal) < 600
        assert CANARY not in refusal  # only names are quoted
        return
    assert len(fields) <= MAX_FIELDS
    assert sum(len(name) + len(value) for name, value in fields) <= MAX_BYTES
    for name, value in forwardable(fields):
        line = f"{name}: {value}".encode()
        assert name
        assert not set(b"\r\n\0") & set(line)
        assert name.lower() not in {"host", "content-length", "transfer-encoding", "connection"}
    assert sorted(value for _, value in parse_headers(dump_headers(fields))) == sorted(value for _, value in fields)


@given(
    st.none() | st.text(max_size=100) | st.integers().map(str) | st.datetimes().map(lambda when: when.strftime("%a, %d %b %Y %X GMT")),
    st.floats(0, 2**40),
)  # fmt: skip
@example("9" * 5000, 0.0)
@example("Fri, 31 Dec 9999 23:59:59 -2359", 0.0)
@example("Mon, 01 Jan 0001 00:00:00 +2359", 0.0)
@example("Sun, 06 Nov 1994 08:49:37 +99999999999999", 0.0)
@example("٣", 0.0)
@ANY
def test_retry_after_of_any_text(text: str | None, now: float) -> None:
    seconds = parse_retry_after(text, now=now, limit_s=43_200)
    assert seconds is None or (math.isfinite(seconds) and 0 <= seconds <= 43_200)


@given(st.none() | st.text(max_size=60) | st.text(max_size=5).map("application/json".__add__))
@example("application/json" + ";" * 1_000_000)
@example(" " * 1_000_000)
@ANY
def test_media_types_of_any_text(text: str | None) -> None:
    assert is_json(text) in {True, False}
    if is_json(text):
        assert text is not None
        assert "application/json" in text.lower()
