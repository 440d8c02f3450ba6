"""What the AWS configuration file says, read without the SDK: most pods have none."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

DEFAULT_FILE = "~/.aws/config"


def profile_switches(environ: Mapping[str, str], names: Collection[str]) -> Mapping[str, str]:
    """Return those of the options `names` that the profile in use sets; none when the file cannot be read."""
    try:
        text = Path(environ.get("AWS_CONFIG_FILE") or DEFAULT_FILE).expanduser().read_text(encoding="utf-8")
    except (OSError, ValueError, RuntimeError):
        return {}
    if not any(name in text for name in names):
        return {}
    from configparser import Error, RawConfigParser  # noqa: PLC0415 - hardly ever needed

    parser = RawConfigParser(default_section="")
    try:
        parser.read_string(text)
    except Error:
        return {}  # the SDK says what is wrong with it when it is asked for keys
    profile = environ.get("AWS_DEFAULT_PROFILE") or environ.get("AWS_PROFILE") or "default"
    for section in parser.sections():
        words = section.replace('"', "").split()
        if words in (["profile", profile], [profile] if profile == "default" else []):
            return {name: parser[section][name] for name in names if name in parser[section]}
    return {}
