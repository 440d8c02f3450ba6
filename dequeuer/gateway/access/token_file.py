"""The file of tokens: a list of callers in YAML or JSON. It holds hashes, so a copy of it opens nothing.

Hazard: people put a token where its hash belongs. No fault quotes what was given for a hash.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeAlias

from dequeuer.core.errors import ConfigurationError, clip
from dequeuer.core.suggestions import did_you_mean
from dequeuer.files.reading import UnreadableError, read_bounded
from dequeuer.formats.api_name import API_NAME_PATTERN
from dequeuer.gateway.access.caller import PERMISSIONS, Caller, Permission, rate_of
from dequeuer.settings.parsers import OBJECT_SIZE, InvalidValueError

if TYPE_CHECKING:
    from dequeuer.apis.faults import Fault
    from dequeuer.apis.values import Document

MAX_BYTES: Final = 2**20
MAX_FAULTS: Final = 100
"""Faults that are listed."""
MAX_HASHES: Final = 1000
"""Each is compared for each request."""
MAX_RATE: Final = 1_000_000

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_API: Final = re.compile(rf"{API_NAME_PATTERN}|\*")
_HASH: Final = re.compile(r"[0-9a-fA-F]{64}")
_REQUIRED: Final = ("name", "sha256", "apis", "may")
_KEYS: Final = (*_REQUIRED, "rate", "burst", "max_bytes")
_NAME_FORM: Final = 'a letter or digit, then up to 63 of letters, digits, ".", "_", "@" and "-"'
_HASH_FORM: Final = "64 hexadecimal digits, as `dequeuer token` prints them, or a list of such"

_Location: TypeAlias = tuple[str | int, ...]
_Problem: TypeAlias = tuple[_Location, str]


def load_callers(path: str) -> tuple[Caller, ...]:
    """Return the callers of a file. Blocks while it is read.

    Raises:
        ConfigurationError: the file cannot be read, or with every fault that it has.
    """
    return parse_callers(read_tokens(path), path)


def read_tokens(path: str) -> bytes:
    """Return the content of a file. Blocks. Raises `ConfigurationError`: it cannot be read, or is too large."""
    try:
        return read_bounded(path, MAX_BYTES)
    except UnreadableError as error:
        raise ConfigurationError([f"{clip(path)}: {error}; allowed: a readable file with a list of callers"]) from None


def parse_callers(data: bytes, path: str) -> tuple[Caller, ...]:
    """Return the callers of the content of a file. `path`: for the texts of faults.

    Raises:
        ConfigurationError: with every fault.
    """
    # They take 20 MiB: only a gateway with such a file needs them.
    from dequeuer.apis.document import read_document  # noqa: PLC0415
    from dequeuer.apis.faults import DocumentError  # noqa: PLC0415
    from dequeuer.apis.values import Document  # noqa: PLC0415

    if not data.strip():
        raise ConfigurationError([f"{clip(path)}: is empty; allowed: a list with an entry for each caller"])
    try:
        document = Document(read_document(data))
    except DocumentError as error:
        raise ConfigurationError([error.fault.render(path)]) from None
    faults = list(document.faults)
    if not isinstance(document.value, tuple) or not document.value:
        faults.append(document.fault((), "is no list of callers; allowed: a list with an entry for each caller"))
    else:
        problems = chain(
            chain.from_iterable(_entry_problems(document, at) for at in range(len(document.value))),
            _clashes(document.value),
        )
        for location, text in problems:
            faults.append(document.fault(location, text))
            if len(faults) > MAX_FAULTS:
                break
    if faults:
        raise ConfigurationError(_texts(path, faults))
    return tuple(_caller(entry) for entry in document.value)


def _texts(path: str, faults: Sequence[Fault]) -> list[str]:
    ordered = sorted(faults, key=lambda fault: (fault.line, fault.column))
    texts = [
        f"{clip(path)}:{fault.line + 1}:{fault.column + 1}: {_place(fault.location)}{fault.text}" for fault in ordered
    ]
    return texts if len(texts) <= MAX_FAULTS else [*texts[:MAX_FAULTS], f"{clip(path)}: and more faults"]


def _place(location: _Location) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{clip(part, 64)}" for part in location]
    return f"callers{''.join(parts)}: " if parts else ""


def _entry_problems(document: Document, at: int) -> Iterator[_Problem]:
    entry = document.value[at]
    if not isinstance(entry, dict):
        yield (at,), f"is {document.given((at,))}; allowed: a mapping with {', '.join(_REQUIRED)}"
        return
    for key in entry:
        if key not in _KEYS:
            what = f"is no key of a caller{did_you_mean(key, _KEYS)}"
            yield (at, key), f"{what}; allowed: {', '.join(_KEYS)}; remove or correct it"
    for key in _REQUIRED:
        if key not in entry:
            yield (at,), f"{key} is missing; allowed: {_ALLOWED[key]}; add it"
    for key, allowed in _ALLOWED.items():
        if key in entry and not _CHECKS[key](entry[key]):
            given = "" if key == "sha256" else f"{document.given((at, key))} "
            yield (at, key), f"{given}is not allowed; allowed: {allowed}; correct it"
    if "burst" in entry and "rate" not in entry:
        yield (at, "burst"), "is there without rate; allowed: both, or rate alone; add rate, or remove it"


def _clashes(entries: Sequence[object]) -> Iterator[_Problem]:
    """Yield names and hashes that are there twice: whose token it is must be clear."""
    names: dict[str, int] = {}
    hashes: dict[str, int] = {}
    for at, entry in enumerate(entries):
        if not isinstance(entry, dict):
            continue
        name = entry.get("name")
        if isinstance(name, str) and names.setdefault(name, at) != at:
            yield (at, "name"), f'"{clip(name, 64)}" is the name of another caller, too; allowed: each name once'
        for one in _listed(entry.get("sha256")):
            if isinstance(one, str):
                owner = hashes.setdefault(one.lower(), at)
                if owner != at:
                    yield (at, "sha256"), f"a hash is that of callers[{owner}], too; allowed: each hash once"
    if len(hashes) > MAX_HASHES:
        yield (), f"holds {len(hashes)} hashes; allowed: at most {MAX_HASHES}; remove those that are not used"


def _listed(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else (value,)


def _all(pattern: re.Pattern[str]) -> Callable[[object], bool]:
    def check(value: object) -> bool:
        items = _listed(value)
        return bool(items) and all(isinstance(one, str) and pattern.fullmatch(one) is not None for one in items)

    return check


def _is_rate(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= MAX_RATE


def _is_burst(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_RATE


def _bytes(value: object) -> int | None:
    """Return a size; None: it is none."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        return OBJECT_SIZE.read(str(value))
    except InvalidValueError:
        return None


_CHECKS: Final[dict[str, Callable[[object], bool]]] = {
    "name": lambda value: isinstance(value, str) and _NAME.fullmatch(value) is not None,
    "sha256": _all(_HASH),
    "apis": _all(_API),
    "may": lambda value: bool(_listed(value)) and all(one in PERMISSIONS for one in _listed(value)),
    "rate": _is_rate,
    "burst": _is_burst,
    "max_bytes": lambda value: _bytes(value) is not None,
}
_ALLOWED: Final = {
    "name": _NAME_FORM,
    "sha256": _HASH_FORM,
    "apis": 'names of APIs, or "*" (in quotes) for all of them',
    "may": f"{', '.join(PERMISSIONS)}: one, or a list",
    "rate": f"requests a second, more than 0, at most {MAX_RATE}",
    "burst": f"a whole number from 1 to {MAX_RATE}",
    "max_bytes": OBJECT_SIZE.allowed,
}


def _caller(entry: dict[str, object]) -> Caller:
    rate, burst = entry.get("rate"), entry.get("burst")
    may: frozenset[Permission] = frozenset(one for one in PERMISSIONS if one in _listed(entry["may"]))
    return Caller(
        name=str(entry["name"]),
        digests=tuple(bytes.fromhex(str(one)) for one in _listed(entry["sha256"])),
        apis=frozenset(str(one) for one in _listed(entry["apis"])),
        may=may,
        rate=rate_of(float(rate), burst if isinstance(burst, int) else None) if isinstance(rate, int | float) else None,
        max_bytes=_bytes(entry.get("max_bytes")),
    )
