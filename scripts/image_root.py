"""Collects the files of the image in one folder: Python, the libraries that it loads, certificates, the environment.

Usage: image_root.py ENVIRONMENT ROOT, with the Python that the image gets, on Debian or on what is made of it.
The linker (`ldd`) says which libraries are needed, so nothing here depends on the architecture.
"""

import os
import shutil
import ssl
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

# Of Python's own library: what installs, tests or draws, and what needs libraries that nothing in the image uses.
ANYWHERE = frozenset({"__pycache__", "test", "tests"})
WITHOUT = ANYWHERE | frozenset(
    {"curses", "dbm", "dist-packages", "distutils", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "site-packages"}
    | {"sqlite3", "tkinter", "turtle.py", "turtledemo", "venv"}
)
WITHOUT_MODULES = ("_crypt", "_ctypes_test", "_curses", "_dbm", "_gdbm", "_sqlite3", "_test", "_tkinter", "_xx", "nis")
WITHOUT_MODULES += ("ossaudiodev", "readline", "xxlimited", "xxsubtype")
# Threads that end load it by name: the linker does not know of it.
LOADED_BY_NAME = "libgcc_s.so.1"
USER = 65532
ACCOUNTS = {
    "passwd": f"root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:{USER}:{USER}:nonroot:/home/nonroot:/sbin/nologin\n",
    "group": f"root:x:0:\nnonroot:x:{USER}:\n",
    "nsswitch.conf": "hosts: files dns\n",
}
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
OPENSSL_SETTINGS = Path("/etc/ssl/openssl.cnf")


class Root:
    """The folder that becomes the file system of the image."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.placed: set[Path] = set()

    def place(self, path: Path) -> None:
        """Copy a file to its own place, with the symbolic links on the way. Of a link to a folder only the link."""
        for position, part in enumerate(path.parts[1:], start=1):
            current = Path(*path.parts[:position], part)
            if current.is_symlink():
                target = current.readlink()
                inside = self._inside(current)
                if not inside.is_symlink():
                    inside.symlink_to(target)
                # What is before the link has no links any more, so that `..` may be resolved without asking the disk.
                self.place(Path(os.path.normpath(current.parent / target), *path.parts[position + 1 :]))
                return
        if path.is_dir():
            return
        shutil.copyfile(path, self._inside(path))
        self.placed.add(path)

    def place_folder(self, folder: Path, without: frozenset[str] = frozenset()) -> None:
        """Copy everything below a folder that has no links on the way to it."""
        for entry in sorted(folder.iterdir()):
            if entry.name in without:
                continue
            if entry.is_dir() and not entry.is_symlink():
                self.place_folder(entry, without & ANYWHERE)
            else:
                self.place(entry)

    def write(self, path: Path, text: str) -> None:
        """Write a file that the base does not have, or has with more in it."""
        self._inside(path).write_text(text, encoding="utf-8")

    def link(self, path: Path, target: Path) -> None:
        """Make a symbolic link, also where the base has a file."""
        self._inside(path).unlink(missing_ok=True)
        self._inside(path).symlink_to(target)

    def _inside(self, path: Path) -> Path:
        inside = self.folder / path.relative_to("/")
        inside.parent.mkdir(parents=True, exist_ok=True)
        return inside


def run(*command: str) -> str:
    """Return what a command of the base prints.

    Raises:
        RuntimeError: It fails.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - commands of the base
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)[:200]}: exit status {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def libraries(files: list[Path]) -> Iterator[Path]:
    """Yield the libraries that binaries load, and what these load.

    Raises:
        RuntimeError: A library does not exist.
    """
    for line in run("ldd", *map(str, files)).splitlines():
        name, _, found = line.strip().rpartition(" => ")
        if found == "not found":
            raise RuntimeError(f"the library {name} is not in the base: install it, or remove what needs it")
        path = found.partition(" (0x")[0]
        if path.startswith("/") and "(0x" in found:
            yield Path(path)


def binaries(folder: Path) -> list[Path]:
    """Return the extension modules below a folder."""
    return sorted(path for path in folder.rglob("*.so*") if path.is_file() and not path.is_symlink())


def place_python(root: Root) -> list[Path]:
    """Place the interpreter and its library; return the binaries among them."""
    interpreter = Path(sys.executable)
    root.place(interpreter)
    stdlib = Path(sysconfig.get_path("stdlib"))
    built_for = frozenset(path.name for path in stdlib.glob("config-*"))
    root.place_folder(stdlib, WITHOUT | built_for)
    dynload = root.folder / stdlib.relative_to("/") / "lib-dynload"
    for module in dynload.iterdir():
        if module.name.startswith(WITHOUT_MODULES):
            root.placed.discard(stdlib / "lib-dynload" / module.name)
            module.unlink()
    return [interpreter.resolve(), *(stdlib / "lib-dynload" / path.name for path in dynload.iterdir())]


def place_libraries(root: Root, environment: Path, files: list[Path]) -> None:
    """Place what `files` and the extension modules of the environment load, and the cache in which it is found."""
    found = {path for path in libraries(files) if not path.is_relative_to(environment)}
    cached = [line.rpartition(" => ")[2] for line in run("/sbin/ldconfig", "-p").splitlines() if LOADED_BY_NAME in line]
    found.add(Path(cached[0]))
    for path in sorted(found):
        root.place(path)
    root.write(Path("/etc/ld.so.conf"), "".join(sorted({f"{path.parent}\n" for path in found})))
    run("/sbin/ldconfig", "-X", "-r", str(root.folder))
    # It has the times at which the libraries were written.
    shutil.rmtree(root.folder / "var", ignore_errors=True)


def place_settings(root: Root) -> None:
    """Place accounts, name resolution, certificate authorities, and what says which system this is."""
    for name, text in ACCOUNTS.items():
        root.write(Path("/etc", name), text)
    for path in (CERTIFICATES, OPENSSL_SETTINGS, Path("/etc/os-release")):
        root.place(path)
    expected = Path(ssl.get_default_verify_paths().openssl_cafile)
    root.link(expected, CERTIFICATES)
    root.link(expected.with_name("openssl.cnf"), OPENSSL_SETTINGS)
    (root.folder / "tmp").mkdir()
    (root.folder / "home" / "nonroot").mkdir(parents=True)


def owners(paths: list[Path]) -> dict[Path, str]:
    """Return which of Debian's packages each file is from; a Python that was compiled is from none."""
    # Packages name their files with or without `/usr`, whichever was the way before both became one folder.
    spellings = {f"{prefix}{str(path).removeprefix('/usr')}": path for path in paths for prefix in ("", "/usr")}
    done = subprocess.run(["dpkg-query", "-S", *spellings], capture_output=True, text=True, check=False)  # noqa: S603, S607
    # A diversion is how Debian moves files from `/lib` to `/usr/lib`; the package itself has a line of its own.
    lines = [line.partition(": ") for line in done.stdout.splitlines() if not line.startswith("diversion by ")]
    return {spellings[file]: names.partition(",")[0] for names, _, file in lines if file in spellings}


def place_package_records(root: Root) -> None:
    """Place what Debian knows of the packages whose files are here, where scanners of images look for it, and licences.

    Raises:
        RuntimeError: A library is neither Debian's nor Python's: the list of what is in the image would not have it.
    """
    binaries_and_settings = [path for path in root.placed if path.suffix != ".py"]
    packages = owners(binaries_and_settings)
    for path in binaries_and_settings:
        if ".so" in path.suffixes and path not in packages and not path.is_relative_to(sys.base_prefix):
            raise RuntimeError(f"{path} is from no package")
    # The bundle is made at installation: no package has it among its files.
    for package in sorted({"ca-certificates", *packages.values()}):
        name = package.partition(":")[0]
        root.write(Path("/var/lib/dpkg/status.d", name), run("dpkg-query", "-s", package))
        licence = Path("/usr/share/doc", name, "copyright")
        if licence.exists():
            root.place(licence)


def strip(root: Root, files: list[Path]) -> None:
    """Remove what only debuggers read from Python's own binaries. Files of wheels stay as their hashes say."""
    own = {path for path in files if path in root.placed} | {path for path in root.placed if "libpython" in path.name}
    if own:
        run("strip", "--strip-unneeded", *(str(root.folder / path.relative_to("/")) for path in sorted(own)))


def settle(folder: Path, time_s: int) -> None:
    """Give all files one owner and one time, and permissions that depend on the content alone."""
    found = [Path(parent, name) for parent, folders, files in os.walk(folder) for name in (*folders, *files)]
    for path in (folder, *found):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or runs(path) else 0o644)
        os.chown(path, 0, 0, follow_symlinks=False)
    (folder / "tmp").chmod(0o1777)
    for path in (folder, *found):
        os.utime(path, (time_s, time_s), follow_symlinks=False)


def runs(path: Path) -> bool:
    """Whether a file is a binary or a command."""
    with path.open("rb") as file:
        return path.parent.name == "bin" or file.read(4) == b"\x7fELF"


def main(arguments: list[str]) -> int:
    """Collect the files and return the exit status."""
    if len(arguments) != 2:
        sys.stderr.write(f"usage: {Path(__file__).name} ENVIRONMENT ROOT | {Path(__file__).name} --settle ROOT\n")
        return 2
    if arguments[0] == "--settle":
        settle(Path(arguments[1]), int(os.environ["SOURCE_DATE_EPOCH"]))
        return 0
    environment, root = Path(arguments[0]), Root(Path(arguments[1]))
    own = place_python(root)
    place_libraries(root, environment, [*own, *binaries(environment)])
    place_settings(root)
    place_package_records(root)
    root.place_folder(environment, ANYWHERE)
    strip(root, own)
    root.link(Path("/dequeuer"), environment / "bin" / "dequeuer")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
