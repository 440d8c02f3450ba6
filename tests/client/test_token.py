from __future__ import annotations

from pathlib import Path

import pytest

from dequeuer.client.gateway import open_gateway
from dequeuer.client.job_calls import JobCalls
from dequeuer.client.token import read_token
from dequeuer.core.errors import ConfigurationError
from tests.client.stage import answer, canned


@pytest.mark.parametrize("text", ["dq_a-b~c+/==", "dq_a-b~c+/==\n", "  dq_a-b~c+/==\r\n"])
def test_a_token_is_read_without_the_space_around_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "token"
    path.write_text(text)
    assert read_token(str(path)) == "dq_a-b~c+/=="


@pytest.mark.parametrize(
    "data", [b"", b"s3cret\nX-Other: 1", b"s3cret s3cret", b"s3cret\xff", b"s3cret" * 100, b"=" * 5000]
)
def test_what_is_no_token_is_not_shown(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(data)
    with pytest.raises(ConfigurationError) as caught:
        read_token(str(path))
    assert "s3cret" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_token(str(tmp_path / "none"))


async def test_the_gateway_gets_it() -> None:
    async with canned(answer(b"[]")) as gateway:
        for token in ("dq_a", None):
            async with open_gateway(gateway.url, token) as client:
                assert (await JobCalls(client, "sum", "batch").page(limit=1, after="")).jobs == ()
    with_token, without = gateway.heads
    assert "\r\nAuthorization: Bearer dq_a\r\n" in with_token
    assert "Authorization" not in without
