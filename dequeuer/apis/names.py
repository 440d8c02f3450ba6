"""Names, images, ports, paths and other single values of the file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from dequeuer.apis.model import Allowed, refuse

MAX_INT32 = 2**31 - 1
MAX_INT64 = 2**63 - 1
RESERVED_PORTS = frozenset({8888, 15000})
"""The ports of the sidecar and of Cortex's proxy, and of their admin servers."""
RESERVED_CONTAINERS = frozenset({"dequeuer", "proxy"})
RESERVED_PREFIXES = ("CORTEX_", "KUBEXIT_")
DEFAULT_PORT = 8080
MAX_NAME = 42
"""Kubernetes appends 21 characters to it for the name of a pod, of which 63 are allowed."""
MAX_ENDPOINT = 1000

_DNS_1035 = r"^[a-z](?:[-a-z0-9]*[a-z0-9])?$"
_DOMAIN = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_IMAGE = (
    rf"^(?:{_DOMAIN}(?:\.{_DOMAIN})*(?::[0-9]+)?/)?{_COMPONENT}(?:/{_COMPONENT})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
    r"(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?$"
)
_PATH = re.compile(r"[a-zA-Z0-9_\-./]+\Z")
_NAME_WORDS = "lower-case letters, digits and dashes, beginning with a letter, not ending with a dash"


def _api_name(name: str) -> str:
    if name.startswith("b-"):
        raise refuse("it begins with b-")
    return name


def _container_name(name: str) -> str:
    if name in RESERVED_CONTAINERS:
        raise refuse("it is reserved")
    return name


def _port(port: int) -> int:
    if port in RESERVED_PORTS:
        raise refuse("it is reserved")
    return port


def _default_port(port: object) -> object:
    return DEFAULT_PORT if port is None else port


def canonical_path(path: str) -> str:
    """Return a path as Cortex keeps it: with a slash in front, and none at the end.

    Raises:
        PydanticCustomError: it is none.
    """
    if _PATH.match(path) is None:
        raise refuse()
    if "//" in path:
        raise refuse("it has two slashes in a row")
    return f"/{path.strip('/')}"


def _endpoint(path: str | None) -> str | None:
    if path is None:
        return None
    canonical = canonical_path(path)
    if canonical == "/":
        raise refuse("it is the root, which no API can have")
    if {".", ".."} & set(canonical.split("/")):
        raise refuse("clients take . and .. out of a path before they send it")
    return canonical


def _frozen(env: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(env))


def _env_name(name: str) -> str:
    if name.startswith(RESERVED_PREFIXES):
        raise refuse("it is reserved")
    return name


def _replica_part(given: object) -> str:
    """Return `25%` or `5`: a number without quotes is one, too."""
    text = str(given) if isinstance(given, int | str) and not isinstance(given, bool) else ""
    match = re.match(r"\+?([0-9]{1,10})(%?)\Z", text)
    if match is None or int(match[1]) > (100 if match[2] else MAX_INT32):
        raise refuse()
    return f"{int(match[1])}{match[2]}"


ApiName = Annotated[
    str,
    Field(pattern=_DNS_1035, max_length=MAX_NAME),
    AfterValidator(_api_name),
    Allowed(f"at most {MAX_NAME} {_NAME_WORDS}; not b- at its beginning"),
]
ContainerName = Annotated[
    str,
    Field(pattern=_DNS_1035, max_length=63),
    AfterValidator(_container_name),
    Allowed(f"at most 63 {_NAME_WORDS}; not dequeuer or proxy; no name twice in a pod"),
]
Image = Annotated[
    str, Field(pattern=_IMAGE), Allowed("a container image (quay.io/team/name:tag); its name has no upper-case letter")
]
Texts = Annotated[tuple[str, ...] | None, Allowed("a list of texts; null: as if it were not there")]
RequiredTexts = Annotated[tuple[str, ...], Allowed("a list of texts")]
NonEmptyTexts = Annotated[tuple[str, ...], Field(min_length=1), Allowed("a list of at least one text")]
EnvName = Annotated[str, AfterValidator(_env_name)]
Env = Annotated[
    Mapping[EnvName, str],
    AfterValidator(_frozen),
    Allowed("a mapping of texts to texts; no name that begins with CORTEX_ or KUBEXIT_"),
]
NodeGroups = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]+$")], ...] | None,
    Field(min_length=1),
    Allowed("a list of at least one name (letters, digits, _ and -); null: any node group"),
]
_PORT_WORDS = "a port from 1 to 65535, but not 8888 or 15000"
Port = Annotated[int, Field(ge=1, le=65535), AfterValidator(_port), Allowed(_PORT_WORDS)]
PodPort = Annotated[
    int, Field(ge=1, le=65535), AfterValidator(_port), BeforeValidator(_default_port), Allowed(_PORT_WORDS)
]
HttpPath = Annotated[
    str,
    AfterValidator(canonical_path),
    Allowed("a path of letters, digits, _, -, . and /, without two slashes in a row"),
]
Endpoint = Annotated[
    str | None,
    Field(max_length=MAX_ENDPOINT),
    AfterValidator(_endpoint),
    Allowed(
        f"a path of at most {MAX_ENDPOINT} letters, digits, _, -, . and /, without two slashes in a row; not /; "
        "no endpoint twice in a file"
    ),
]
ReplicaPart = Annotated[
    str,
    BeforeValidator(_replica_part),
    Allowed("a number of replicas (5), or a part of them from 0% to 100% (25%)"),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "integer"}]}),
]
NonNegative = Annotated[int, Field(ge=0, le=MAX_INT32), Allowed("a whole number, at least 0")]
Positive = Annotated[int, Field(ge=1, le=MAX_INT32), Allowed("a whole number, at least 1")]
Devices = Annotated[int, Field(ge=0, le=MAX_INT64), Allowed("a whole number, at least 0")]
Boolean = Annotated[bool, Allowed("true or false")]
