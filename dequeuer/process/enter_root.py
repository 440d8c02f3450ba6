"""Runs a command for which some folders replace those of the same name at the root of the file system.

It is run by its path and imports only the standard library:
`python -I -S enter_root.py <new root> <bytes of /dev/shm, or 0> <name>=<folder> ... -- <command> ...`. The command
sees `/<name>` with the content of the folder, and, if bytes are given, an empty `/dev/shm` of that size; everything
else is as before, for this command and its children alone. A name with a slash in it is that of a file, which must
exist. It needs root's rights, or user namespaces. It replaces itself with the command (exec).
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWNS, CLONE_NEWUSER = 0x0002_0000, 0x1000_0000
MS_BIND, MS_REC, MS_PRIVATE, MS_UNBINDABLE = 0x1000, 0x4000, 0x4_0000, 0x2_0000
CANNOT_START = 127
"""The exit status that shells use for a command that is not found."""


def main(argv: list[str]) -> int:
    """Replace this process with the command. Returns only when that fails."""
    end = argv.index("--")
    root, command = Path(argv[1]), argv[end + 1 :]
    folders = dict(pair.split("=", 1) for pair in argv[3:end])
    here = Path.cwd()
    try:
        enter(root, folders, shm_bytes=int(argv[2]))
        os.chdir(here)
        os.execvp(command[0], command)  # noqa: S606 - the purpose of this module
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error.filename or ''} {error.strerror}\n")
    return CANNOT_START


def enter(root: Path, folders: dict[str, str], shm_bytes: int) -> None:
    """Build the new root in an empty folder, and enter it. `shm_bytes`: 0: `/dev/shm` as it is. Raises `OSError`."""
    user, group = os.geteuid(), os.getegid()
    _call("unshare", CLONE_NEWNS | (CLONE_NEWUSER if user else 0))
    if user:
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    _mount("none", "/", "", MS_REC | MS_PRIVATE)  # nothing of it is seen outside
    _mount("tmpfs", str(root), "tmpfs", 0)
    _mount("none", str(root), "", MS_UNBINDABLE)  # the root must not appear in itself again
    for entry in Path("/").iterdir():
        if entry.name not in folders:
            _adopt(entry, root / entry.name)
    for name, folder in folders.items():
        if "/" not in name:
            (root / name).mkdir()
        _mount(folder, str(root / name), "", MS_BIND | MS_REC)
    if shm_bytes:
        _mount("tmpfs", str(root / "dev/shm"), "tmpfs", 0, f"size={shm_bytes}")
    os.chroot(root)


def _adopt(entry: Path, place: Path) -> None:
    if entry.is_symlink():
        place.symlink_to(entry.readlink())
        return
    if entry.is_dir():
        place.mkdir()
    else:
        place.touch()
    _mount(str(entry), str(place), "", MS_BIND | MS_REC)


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    _call("mount", source.encode(), target.encode(), kind.encode(), flags, options.encode() or None, name=target)


def _call(function: str, *arguments: object, name: str = "") -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    converted = [ctypes.c_ulong(one) if isinstance(one, int) else one for one in arguments]
    if getattr(libc, function)(*converted) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}", name or function)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
