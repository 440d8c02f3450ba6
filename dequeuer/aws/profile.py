"""Read the AWS configuration and credentials files without the SDK. Most pods have none."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

CONFIG_FILE = "~/.aws/config"

Sections = Mapping[str, Mapping[str, str]]
"""Options of a file, by section."""


def expanded(path: str, environ: Mapping[str, str]) -> Path | None:
    """Return a path with `~` replaced; None when no home directory is known."""
    if not path.startswith("~"):
        return Path(path)
    home = environ.get("HOME")
    if home and path.startswith("~/"):
        return Path(home, path[2:])
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return None


def sections_of(text: str) -> Sections | None:
    """Return the sections of a file; None when it is malformed (the SDK then reports what is wrong)."""
    from configparser import Error, RawConfigParser  # noqa: PLC0415 - rarely needed

    parser = RawConfigParser(default_section="")
    try:
        parser.read_string(text)
    except Error:
        return None
    return {name: dict(parser[name]) for name in parser.sections()}


def profile_switches(environ: Mapping[str, str], names: Collection[str]) -> Mapping[str, str]:
    """Return the options among `names` that the profile in use sets; none when the file cannot be read."""
    path = expanded(environ.get("AWS_CONFIG_FILE") or CONFIG_FILE, environ)
    try:
        text = "" if path is None else path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return {}
    if not any(name in text for name in names):
        return {}
    profile = environ.get("AWS_DEFAULT_PROFILE") or environ.get("AWS_PROFILE") or "default"
    for section, options in (sections_of(text) or {}).items():
        words = section.replace('"', "").split()
        if words in (["profile", profile], [profile] if profile == "default" else []):
            return {name: options[name] for name in names if name in options}
    return {}
