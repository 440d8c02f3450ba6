import os
import runpy
import stat
from pathlib import Path
from typing import Any

import pytest

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "image_root.py"))


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "base"
    (folder / "usr/lib/arch").mkdir(parents=True)
    (folder / "usr/lib/arch/libx.so.1.2").write_bytes(b"\x7fELF library")
    (folder / "usr/lib/arch/libx.so.1").symlink_to("libx.so.1.2")
    (folder / "lib").symlink_to("usr/lib")
    return folder


def collected(root: Path, base: Path) -> Path:
    return root / base.relative_to("/")


def make_root(tmp_path: Path) -> tuple[Any, Path]:
    folder = tmp_path.resolve() / "root"
    folder.mkdir()
    return SCRIPT["Root"](folder), folder


def test_a_file_is_placed_with_every_link_on_the_way_to_it(tmp_path: Path, base: Path) -> None:
    root, folder = make_root(tmp_path)
    root.place(base / "lib/arch/libx.so.1")
    placed = collected(folder, base)
    assert (placed / "lib").readlink() == Path("usr/lib")
    assert (placed / "usr/lib/arch/libx.so.1").readlink() == Path("libx.so.1.2")
    assert (placed / "lib/arch/libx.so.1").read_bytes() == b"\x7fELF library"
    assert root.placed == {base / "usr/lib/arch/libx.so.1.2"}


def test_a_link_to_a_folder_brings_nothing_of_the_folder(tmp_path: Path, base: Path) -> None:
    root, folder = make_root(tmp_path)
    root.place(base / "lib")
    assert [path.name for path in collected(folder, base).iterdir()] == ["lib"]


def test_a_folder_is_placed_without_tests_and_without_what_is_named(tmp_path: Path, base: Path) -> None:
    for name in ("a.py", "idlelib/b.py", "kept/idlelib/c.py", "kept/tests/d.py", "kept/__pycache__/a.pyc"):
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_bytes(b"")
    root, folder = make_root(tmp_path)
    root.place_folder(base, SCRIPT["ANYWHERE"] | {"idlelib", "usr", "lib"})
    placed = collected(folder, base)
    assert {path.relative_to(placed).as_posix() for path in placed.rglob("*.py*")} == {"a.py", "kept/idlelib/c.py"}


def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, lines: str) -> None:
    (tmp_path / command).write_text(f"#!/bin/sh\ncat <<'END'\n{lines}\nEND\n")
    (tmp_path / command).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


def test_the_linker_is_asked_on_each_architecture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (
        "/usr/lib/python3/lib-dynload/_ssl.so:\n"
        "\tlinux-vdso.so.1 (0x0000ffff8d1f0000)\n"
        "\tlibssl.so.3 => /lib/aarch64-linux-gnu/libssl.so.3 (0x0000ffff8d000000)\n"
        "\t/lib/ld-linux-aarch64.so.1 (0x0000ffff8d1b3000)\n"
        "/usr/lib/python3/lib-dynload/_json.so:\n"
        "\tstatically linked"
    )
    fake(tmp_path, monkeypatch, "ldd", lines)
    found = list(SCRIPT["libraries"]([Path("/a"), Path("/b")]))
    assert found == [Path("/lib/aarch64-linux-gnu/libssl.so.3"), Path("/lib/ld-linux-aarch64.so.1")]


def test_a_library_that_does_not_exist_stops_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch, "ldd", "\tlibz.so.1 => not found")
    with pytest.raises(RuntimeError, match=r"the library libz\.so\.1 is not in the base: install it"):
        list(SCRIPT["libraries"]([Path("/a")]))


def test_a_library_is_of_its_package_however_both_spell_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (
        "diversion by libc6 from: /lib64/ld-linux-x86-64.so.2\n"
        "diversion by libc6 to: /lib64/ld-linux-x86-64.so.2.usr-is-merged\n"
        "libc6:amd64: /usr/lib64/ld-linux-x86-64.so.2\n"
        "libz1:amd64, libz1:arm64: /lib/libz.so.1"
    )
    fake(tmp_path, monkeypatch, "dpkg-query", lines)
    loader, library, own = (
        Path("/lib64/ld-linux-x86-64.so.2"),
        Path("/usr/lib/libz.so.1"),
        Path("/usr/local/bin/python3"),
    )
    assert SCRIPT["owners"]([loader, library, own]) == {loader: "libc6:amd64", library: "libz1:amd64"}


def test_owner_and_time_are_the_same_and_permissions_depend_on_the_content(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners: dict[str, tuple[int, int]] = {}
    # Only root may give files away.
    monkeypatch.setattr(os, "chown", lambda path, uid, gid, **_: owners.update({str(path): (uid, gid)}))
    (base / "tmp").mkdir()
    (base / "bin").mkdir()
    (base / "bin" / "command").write_text("#!/opt/python")
    (base / "module.py").write_text("#!/usr/bin/env python")
    (base / "module.py").chmod(0o777)
    (base / "usr/lib/arch/libx.so.1.2").chmod(0o600)
    SCRIPT["settle"](base, 1_700_000_000)
    paths = [base, *base.rglob("*")]
    assert {path.lstat().st_mtime for path in paths} == {1_700_000_000}
    assert owners == {str(path): (0, 0) for path in paths}
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in paths}
    assert modes["module.py"] == 0o644
    assert modes["command"] == modes["libx.so.1.2"] == modes["usr"] == 0o755
    assert modes["tmp"] == 0o1777
