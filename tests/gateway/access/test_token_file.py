from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dequeuer.core.errors import ConfigurationError
from dequeuer.gateway.access.caller import Rate
from dequeuer.gateway.access.new_token import new_token_text
from dequeuer.gateway.access.token_file import MAX_BYTES, MAX_HASHES, load_callers, parse_callers
from tests.gateway.access.stage import entry, hash_of

GOOD = entry("web", ["text"], ["submit"])


def faults(data: bytes | list[Any]) -> tuple[str, ...]:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    with pytest.raises(ConfigurationError) as caught:
        parse_callers(raw, "tokens.yaml")
    return caught.value.faults


def test_callers_are_read_from_yaml_and_json(tmp_path: Path) -> None:
    path = tmp_path / "tokens.yaml"
    path.write_text(
        f"- name: web\n  sha256: ['{hash_of('a')}', '{hash_of('b').upper()}']\n  apis: [text, sum]\n"
        f"  may: [submit, read]\n  rate: 2.5\n- {{name: ops, sha256: '{hash_of('c')}', apis: '*', may: control}}\n"
    )
    web, ops = load_callers(str(path))
    assert web.name == "web"
    assert (set(web.apis), set(web.may)) == ({"text", "sum"}, {"submit", "read"})
    assert [one.hex() for one in web.digests] == [hash_of("a"), hash_of("b")]
    assert web.rate == Rate(per_second=2.5, burst=2)
    assert (ops.rate, ops.allows("any", "control"), ops.allows("any", "read")) == (None, True, False)
    (limited,) = parse_callers(json.dumps([GOOD | {"rate": 0.1, "burst": 7}]).encode(), "tokens.json")
    assert limited.rate == Rate(per_second=0.1, burst=7)
    assert limited.max_bytes is None
    for given in (10 * 2**20, "10MiB", "10485760"):
        (limited,) = parse_callers(json.dumps([GOOD | {"max_bytes": given}]).encode(), "tokens.json")
        assert limited.max_bytes == 10 * 2**20


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"name": ""}, "callers[0].name"),
        ({"name": "a\nb"}, "callers[0].name"),
        ({"name": 5}, "callers[0].name"),
        ({"sha256": "abc"}, "callers[0].sha256"),
        ({"sha256": []}, "callers[0].sha256"),
        ({"sha256": [hash_of("a"), None]}, "callers[0].sha256"),
        ({"sha256": f"{hash_of('a')}\n"}, "callers[0].sha256"),
        ({"apis": []}, "callers[0].apis"),
        ({"apis": ["../x"]}, "callers[0].apis"),
        ({"apis": ["te*"]}, "callers[0].apis"),
        ({"may": []}, "callers[0].may"),
        ({"may": ["write"]}, "callers[0].may"),
        ({"may": None}, "callers[0].may"),
        ({"rate": 0}, "callers[0].rate"),
        ({"rate": -1}, "callers[0].rate"),
        ({"rate": True}, "callers[0].rate"),
        ({"rate": 1e9}, "callers[0].rate"),
        ({"rate": 1, "burst": 0}, "callers[0].burst"),
        ({"rate": 1, "burst": 1.5}, "callers[0].burst"),
        ({"burst": 5}, "is there without rate"),
        ({"max_bytes": 0}, "callers[0].max_bytes"),
        ({"max_bytes": True}, "callers[0].max_bytes"),
        ({"max_bytes": 1.5}, "callers[0].max_bytes"),
        ({"max_bytes": "much"}, "a size in bytes from 1 to 48GiB"),
        ({"token": "s3cret"}, "is no key of a caller"),
        ({"api": ["text"]}, "did you mean apis?"),
    ],
)
def test_each_fault_of_an_entry_is_named(changes: dict[str, Any], text: str) -> None:
    (fault,) = faults([GOOD | changes])
    assert fault.startswith("tokens.yaml:1:")
    assert text in fault
    assert "allowed: " in fault
    assert "s3cret" not in fault


@pytest.mark.parametrize("key", ["name", "sha256", "apis", "may"])
def test_nothing_is_taken_for_granted(key: str) -> None:
    (fault,) = faults([{name: value for name, value in GOOD.items() if name != key}])
    assert f"{key} is missing" in fault


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "is empty; allowed: a list with an entry for each caller"),
        (b"[]", "is no list of callers"),
        (b"{}", "is no list of callers"),
        (b"[5]", "callers[0]: is 5"),
        (b"a: [", "is no YAML"),
        (b"\xff", "no UTF-8"),
        (b"[" * 5000, "nested more than"),
        (b"- &a [*a]", "contains itself"),
        (b"- {name: a, name: b}", "is there twice"),
        (b"- !!python/object:os.system {}", "callers[0]"),
    ],
)
def test_a_file_that_is_none_is_told(data: bytes, text: str) -> None:
    assert any(text in fault for fault in faults(data))


def test_a_token_in_the_place_of_its_hash_is_not_shown() -> None:
    assert "s3cret" not in "".join(faults([GOOD | {"sha256": "dq_s3cret"}]))


def test_all_faults_are_listed_at_once_and_not_without_end() -> None:
    assert len(faults([GOOD | {"name": "?"}, GOOD | {"name": "!", "may": "no", "sha256": "x"}, 7])) == 5
    assert len(faults([7] * 5000)) == 101


def test_names_and_hashes_are_there_once() -> None:
    other = entry("other")
    assert "name of another caller" in faults([GOOD, other | {"name": "web"}])[0]
    assert "a hash is that of callers[0]" in faults([GOOD, other | {"sha256": hash_of("web").upper()}])[0]


def test_hashes_are_bounded() -> None:
    many = [f"{at:064x}" for at in range(MAX_HASHES + 1)]
    assert len(parse_callers(json.dumps([GOOD | {"sha256": many[1:]}]).encode(), "x")[0].digests) == MAX_HASHES
    assert "at most 1000" in faults([GOOD | {"sha256": many}])[0]


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(ConfigurationError, match="allowed: a readable file"):
            load_callers(str(path))
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ConfigurationError, match="is larger than"):
        load_callers(str(large))


def test_the_command_makes_an_entry_that_is_valid() -> None:
    first, second = new_token_text(), new_token_text()
    assert first != second
    token = first.splitlines()[1]
    (caller,) = parse_callers(first[first.index("- name") :].encode(), "tokens.yaml")
    assert caller.digests[0].hex() == hash_of(token)
    assert len(token) > 40
