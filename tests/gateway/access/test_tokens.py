from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from dequeuer.gateway.access import tokens as tokens_module
from dequeuer.gateway.access.token_file import load_callers
from dequeuer.gateway.access.tokens import MAX_TOKEN_CHARS, Tokens
from tests.gateway.access.stage import entry, hash_of, make_tokens


def write(path: Path, *entries: dict[str, Any]) -> None:
    path.write_text(json.dumps(entries))


def spoil(path: Path) -> None:
    path.write_text("- name: [dq_s3cret\n")


def remove(path: Path) -> None:
    path.unlink()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "tokens.yaml", entry("web"))
    return tmp_path / "tokens.yaml"


def opened(path: Path) -> Tokens:
    return Tokens(str(path), load_callers(str(path)))


def name_of(tokens: Tokens, token: str) -> str | None:
    caller = tokens.find([f"Bearer {token}"])
    return caller.name if caller is not None else None


@pytest.mark.parametrize("field", ["Bearer web", "bearer web", "BEARER  web"])
def test_a_token_has_its_caller(field: str) -> None:
    caller = make_tokens(entry("ops"), entry("web")).find([field])
    assert caller is not None
    assert caller.name == "web"


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [""],
        ["Bearer"],
        ["Bearer "],
        ["web"],
        ["Basic web"],
        ["Bearer web "],
        [" Bearer web"],
        ["Bearer web\n"],
        ["Bearer web, Bearer web"],
        ["Bearer web", "Bearer web"],
        ["Bearer web", "Bearer ops"],
        ["Bearer Web"],
        ["Bearer w\u0435b"],
        [f"Bearer {hash_of('web')}"],
        ["Bearer " + "a" * 5_000_000],
    ],
    ids=lambda fields: str(fields)[:40],
)
def test_anything_else_has_none(fields: Sequence[str]) -> None:
    assert make_tokens(entry("ops"), entry("web")).find(fields) is None


def test_a_long_token_is_not_even_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = make_tokens(entry("web"))
    monkeypatch.setattr(hashlib, "sha256", None)
    assert tokens.find(["Bearer " + "a" * MAX_TOKEN_CHARS]) is None


def test_every_hash_is_compared_whoever_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(other)
        return hmac_compare(one, other)

    hmac_compare = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", compare)
    tokens = make_tokens(entry("a"), entry("b") | {"sha256": [hash_of("b"), hash_of("old")]}, entry("c"))
    for token in ("a", "old", "c", "nobody"):
        compared.clear()
        tokens.find([f"Bearer {token}"])
        assert [one.hex() for one in compared] == [hash_of(one) for one in ("a", "b", "old", "c")]


async def test_tokens_are_rotated_without_a_restart(path: Path) -> None:
    tokens = opened(path)
    write(path, entry("web") | {"sha256": [hash_of("web"), hash_of("new")]})
    with capture_logs() as logs:
        await tokens.reload()
        assert (name_of(tokens, "web"), name_of(tokens, "new")) == ("web", "web")
        write(path, entry("web") | {"sha256": [hash_of("new")]})
        await tokens.reload()
        await tokens.reload()
    assert (name_of(tokens, "web"), name_of(tokens, "new")) == (None, "web")
    assert [line["event"] for line in logs] == ["tokens_reloaded", "tokens_reloaded"]


async def test_a_secret_that_is_swapped_by_a_link_is_seen(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "tokens.yaml", entry(name))
    link = tmp_path / "..data"
    link.symlink_to("one")
    tokens = opened(link / "tokens.yaml")
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").rename(link)
    await tokens.reload()
    assert (name_of(tokens, "one"), name_of(tokens, "two")) == (None, "two")


async def test_a_broken_version_keeps_the_one_before_and_is_logged_once(path: Path) -> None:
    tokens = opened(path)
    with capture_logs() as logs:
        spoil(path)
        await tokens.reload()
        await tokens.reload()
        remove(path)
        await tokens.reload()
        await tokens.reload()
        assert name_of(tokens, "web") == "web"
        write(path, entry("web"))
        await tokens.reload()
        await tokens.reload()
    events = [line["event"] for line in logs]
    assert events == ["tokens_not_reloaded", "tokens_not_reloaded", "tokens_reloaded"]
    assert "s3cret" not in str(logs)


async def test_the_file_is_read_again_and_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens_module, "RELOAD_INTERVAL_S", 0.001)
    tokens = opened(path)
    bugs = [RuntimeError("a bug")]
    reload, reloaded = tokens.reload, asyncio.Event()

    async def counted() -> None:
        if bugs:
            raise bugs.pop()
        await reload()
        if name_of(tokens, "new"):
            reloaded.set()

    monkeypatch.setattr(tokens, "reload", counted)
    with capture_logs() as logs:
        async with tokens.followed(), asyncio.timeout(20):
            write(path, entry("new"))
            await reloaded.wait()
    assert [line["event"] for line in logs] == ["tokens_error", "tokens_reloaded"]
