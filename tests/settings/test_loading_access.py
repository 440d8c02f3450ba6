"""The settings that say who may call the gateway."""

from __future__ import annotations

from pathlib import Path

import pytest

from dequeuer.core.errors import ConfigurationError
from dequeuer.gateway.access.token_file import load_callers
from dequeuer.settings import AccessSettings, load_gateway
from tests.settings.environments import GATEWAY


def access(**more: str) -> AccessSettings:
    environ = {**GATEWAY, **{f"DEQUEUER_{name}": value for name, value in more.items()}}
    return load_gateway([], environ, check_tokens=lambda path, _: load_callers(path)).access


def faults(**more: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        access(**more)
    return "\n".join(caught.value.faults)


def test_the_defaults() -> None:
    settings = access()
    assert (settings.tokens, settings.tokens_path, settings.is_audited) == (None, None, False)
    assert (settings.redacted_headers, settings.passed_headers, settings.cors_origins) == (None, None, None)
    assert (settings.rate_limit, settings.rate_burst) == (0, None)


def test_anyone_may_call_by_explicit_choice() -> None:
    settings = access(TOKENS="none")
    assert (settings.tokens, settings.tokens_path, settings.is_audited) == ("none", None, False)


def test_the_faults_of_the_file_are_those_of_the_settings(tmp_path: Path) -> None:
    path = tmp_path / "tokens.yaml"
    path.write_text("- {name: web, sha256: s3cret, may: all}\n")
    text = faults(TOKENS=str(path), RATE_LIMIT="many")
    assert text.count("DEQUEUER_TOKENS: ") == 3
    assert "DEQUEUER_RATE_LIMIT" in text
    assert "s3cret" not in text
    assert "cannot be read" in faults(TOKENS=str(tmp_path / "none.yaml"))
    path.write_text(f"- {{name: web, sha256: '{'a' * 64}', apis: '*', may: read}}\n")
    assert access(TOKENS=str(path)).is_audited
    assert not access(TOKENS=str(path), AUDIT_LOG="off").is_audited
    assert access(AUDIT_LOG="on").is_audited


def test_fair_queues_need_callers(tmp_path: Path) -> None:
    path = tmp_path / "tokens.yaml"
    path.write_text(f"- {{name: web, sha256: '{'a' * 64}', apis: '*', may: submit}}\n")
    given = GATEWAY | {"DEQUEUER_FAIR_QUEUES": "true"}
    assert load_gateway([], given | {"DEQUEUER_TOKENS": str(path)}).fair_queues
    assert not load_gateway([], GATEWAY).fair_queues
    for tokens in ({}, {"DEQUEUER_TOKENS": "none"}):
        with pytest.raises(ConfigurationError, match=r"DEQUEUER_FAIR_QUEUES.*DEQUEUER_TOKENS names no file.*remove"):
            load_gateway([], given | tokens)


def test_headers() -> None:
    settings = access(REDACTED_HEADERS="Cookie, X-Api-Key", PASSED_HEADERS="Authorization")
    assert (settings.redacted_headers, settings.passed_headers) == (("Cookie", "X-Api-Key"), ("Authorization",))
    assert access(REDACTED_HEADERS="").redacted_headers == ()
    assert "DEQUEUER_REDACTED_HEADERS" in faults(REDACTED_HEADERS="Cookie: a")


def test_rates() -> None:
    settings = access(RATE_LIMIT="0.5", RATE_BURST="20")
    assert (settings.rate_limit, settings.rate_burst) == (0.5, 20)
    assert "DEQUEUER_RATE_BURST" in faults(RATE_BURST="5")
    for wrong in ("-1", "1e3", "1000001"):
        assert "DEQUEUER_RATE_LIMIT" in faults(RATE_LIMIT=wrong)


def test_origins() -> None:
    assert access(CORS_ORIGINS="https://a.example, http://localhost:3000").cors_origins == (
        "https://a.example",
        "http://localhost:3000",
    )
    assert (access(CORS_ORIGINS="*").cors_origins, access(CORS_ORIGINS="").cors_origins) == (("*",), ())
    for wrong in ("*,https://a.example", "https://a.example/", "https://A.example", "a.example", "null", "https://*.a"):
        assert "DEQUEUER_CORS_ORIGINS" in faults(CORS_ORIGINS=wrong)
