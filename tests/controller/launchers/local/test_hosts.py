from __future__ import annotations

from pathlib import Path

import pytest

from dequeuer.controller.launchers.local import hosts
from dequeuer.core.errors import ConfigurationError


def test_without_a_file_containers_see_what_the_machine_has(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("127.20.0.1 api-ä\n", encoding="utf-8")
    assert hosts.read_hosts(None) == ""
    assert hosts.read_hosts(str(tmp_path / "hosts")) == "127.20.0.1 api-ä\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b"\xff", "is not UTF-8"),
        (b"12345", "is larger than 4 bytes"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_with_what_is_allowed(
    tmp_path: Path, content: bytes | None, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "MAX_BYTES", 4)
    path = tmp_path / "hosts"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError) as told:
        hosts.read_hosts(str(path))
    assert told.value.faults == (f"DEQUEUER_HOSTS_PATH: {reason}; allowed: a file like /etc/hosts, up to 1 MiB",)
