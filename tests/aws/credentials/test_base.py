from __future__ import annotations

from pathlib import Path

import pytest

from dequeuer.aws.credentials.base import MAX_TOKEN_CHARACTERS, read_token
from dequeuer.core.errors import CredentialsUnavailableError


def test_a_token_is_read_unchanged_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("secret-token")
    assert read_token(file, "TOKEN_FILE") == "secret-token"


@pytest.mark.parametrize("content", [b"x" * (MAX_TOKEN_CHARACTERS + 1), b"\xff\xfe secret"])
def test_an_invalid_token_is_refused_and_not_quoted(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(CredentialsUnavailableError, match="TOKEN_FILE") as caught:
        read_token(file, "TOKEN_FILE")
    assert "secret" not in str(caught.value)
    assert "xx" not in str(caught.value)


def test_the_error_of_a_missing_token_file_names_its_variable(tmp_path: Path) -> None:
    with pytest.raises(CredentialsUnavailableError, match="TOKEN_FILE cannot be read: No such file"):
        read_token(tmp_path / "none", "TOKEN_FILE")
