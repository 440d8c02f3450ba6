"""The probes of a pod's containers, from `/cortex/spec/probes.json`.

The file holds `{"<container>": <Kubernetes Probe, camelCase>}`. Host names are not resolved here.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from dequeuer.core.errors import ConfigurationError, clip
from dequeuer.files.reading import AbsentError, BelowFileError, UnreadableError, read_bounded
from dequeuer.http.origin import LOCALHOST, LOCALHOST_IPV6
from dequeuer.probes.base import Probe, ProbeTiming
from dequeuer.probes.http_get import HttpGetProbe
from dequeuer.probes.tcp_socket import TcpSocketProbe

MAX_FILE_BYTES = 1024 * 1024
MAX_CONTAINERS = 100
MAX_FAULTS = 50
MAX_NAME = 63
"""Characters of a container's name, as in Kubernetes."""
MAX_INT32 = 2**31 - 1
MAX_PORT = 65535

PROBE_FIELDS = (
    "httpGet",
    "tcpSocket",
    "exec",
    "grpc",
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
    "terminationGracePeriodSeconds",
)
KUBELET_KINDS = ("exec", "grpc")
"""Probes that only the kubelet can run."""
HTTP_GET_FIELDS = ("path", "port", "host", "scheme", "httpHeaders")
TCP_SOCKET_FIELDS = ("port", "host")
HEADER_FIELDS = ("name", "value")

HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,252})")
PORT_NUMBER = re.compile(r"[0-9]{1,5}")
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}")
UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
"""Control characters other than the tab, and halves of surrogate pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRules:
    """What differs between the programs that run probes.

    Attributes:
        leaves_others: whether probes of other kinds are left to the kubelet; otherwise they are faults.
        always_has_default: whether the default probe is there beside others, too.
        startup_period_s: the longest period of a probe until its first success.
        default_startup_period_s: the same for the default probe.
    """

    leaves_others: bool = False
    always_has_default: bool = True
    startup_period_s: float = 1.0
    default_startup_period_s: float = 0.1


SIDECAR_RULES = ProbeRules()


def load_probes(
    path: str, user_port: int, user_host: str | None = None, rules: ProbeRules = SIDECAR_RULES
) -> list[Probe]:
    """Return the probes of the file at `path`, which may be absent, and the default probe.

    The default probe connects to `user_port`. It is left out when a `tcpSocket` probe does the same.

    Args:
        path: of probes.json.
        user_port: of the container.
        user_host: for probes that name no host; None: 127.0.0.1, and ::1 when nothing listens there.
        rules: of the program.

    Raises:
        ConfigurationError: with every fault of the file.
    """
    container_host = _ContainerHost(user_host)
    faults: list[str] = []
    probes: list[Probe] = []
    file = clip(path)
    for name, given in _read(path).items():
        if given is None:
            continue
        container = clip(name, MAX_NAME)
        section = _Section(faults, f"{file}: container '{container}'", "", given, PROBE_FIELDS)
        if rules.leaves_others and any(kind in section.given for kind in KUBELET_KINDS):
            continue
        probe = _probe(section, container, container_host, rules.startup_period_s)
        if probe is not None:
            probes.append(probe)
    if faults:
        more = [f"{file}: and {len(faults) - MAX_FAULTS} more faults"] if len(faults) > MAX_FAULTS else []
        raise ConfigurationError(faults[:MAX_FAULTS] + more)
    needs_default = rules.always_has_default or not probes
    if needs_default and not any(container_host.is_checked_by(probe, user_port) for probe in probes):
        timing = ProbeTiming(period_s=1.0, failure_threshold=1, startup_period_s=rules.default_startup_period_s)
        # The name of a container cannot have an underscore, so this name is unique.
        name = "user_port:tcp_socket"
        probes.append(
            TcpSocketProbe(
                name=name,
                host=container_host.host,
                alternatives=container_host.alternatives(container_host.host),
                port=user_port,
                timing=timing,
            )
        )
    return probes


class _ContainerHost:
    """The host of the container. `user_host` None: 127.0.0.1, and ::1 when nothing listens there."""

    def __init__(self, user_host: str | None) -> None:
        self._is_default = user_host is None
        self.host = user_host or LOCALHOST

    def alternatives(self, host: str) -> tuple[str, ...]:
        return (LOCALHOST_IPV6,) if self._is_default and host == LOCALHOST else ()

    def is_checked_by(self, probe: Probe, port: int) -> bool:
        hosts = {"localhost", LOCALHOST} if self._is_default else {self.host}
        return isinstance(probe, TcpSocketProbe) and probe.port == port and probe.host in hosts


def _read(path: str) -> Mapping[str, object]:
    def not_json(constant: str) -> NoReturn:
        message = f"{constant} is not JSON"
        raise ValueError(message)

    shown = clip(path)
    try:
        data = read_bounded(path, MAX_FILE_BYTES)
    except UnreadableError as error:
        if isinstance(error, AbsentError) and not isinstance(error, BelowFileError):
            return {}
        raise ConfigurationError([f"{shown}: {error}; allowed is a file, or none at all"]) from error
    try:
        content: object = json.loads(data.decode(), parse_constant=not_json)
    except (ValueError, RecursionError) as error:
        fault = f"{shown}: is not JSON: {clip(str(error))}; allowed is an object of Kubernetes probes by container"
        raise ConfigurationError([fault]) from error
    if not isinstance(content, dict):
        fault = f"{shown}: is {_shown(content)}; allowed is an object of Kubernetes probes by container"
        raise ConfigurationError([fault])
    if len(content) > MAX_CONTAINERS:
        raise ConfigurationError([f"{shown}: names {len(content)} containers; allowed are at most {MAX_CONTAINERS}"])
    return content


def _probe(section: _Section, container: str, container_host: _ContainerHost, startup_period_s: float) -> Probe | None:
    timing = ProbeTiming(
        initial_delay_s=section.number("initialDelaySeconds", 0),
        timeout_s=section.number("timeoutSeconds", 1),
        period_s=section.number("periodSeconds", 10),
        success_threshold=section.number("successThreshold", 1),
        failure_threshold=section.number("failureThreshold", 3),
        startup_period_s=startup_period_s,
    )
    section.number("terminationGracePeriodSeconds", 0)
    unsupported = [kind for kind in KUBELET_KINDS if kind in section.given]
    for kind in unsupported:
        section.fault(kind, "the kubelet can run such a probe, this sidecar cannot; use httpGet or tcpSocket")
    http, tcp = section.section("httpGet", HTTP_GET_FIELDS), section.section("tcpSocket", TCP_SOCKET_FIELDS)
    if http is not None and tcp is not None:
        section.fault("", "has both httpGet and tcpSocket; allowed is one of them")
    elif http is not None:
        host = http.host(container_host.host)
        return HttpGetProbe(
            name=f"{container}:http_get",
            timing=timing,
            host=host,
            alternatives=container_host.alternatives(host),
            port=http.port(),
            path=http.text("path", "/"),
            https=http.text("scheme", "HTTP", allowed=("HTTP", "HTTPS")) == "HTTPS",
            headers=http.headers(),
        )
    elif tcp is not None:
        host = tcp.host(container_host.host)
        return TcpSocketProbe(
            name=f"{container}:tcp_socket",
            timing=timing,
            host=host,
            alternatives=container_host.alternatives(host),
            port=tcp.port(),
        )
    elif not unsupported:
        section.fault("", "has neither httpGet nor tcpSocket; one of them is required")
    return None


class _Section:
    """One object of the file. Faults are appended to `faults`; the methods then return a placeholder."""

    def __init__(self, faults: list[str], where: str, prefix: str, given: object, known: Sequence[str]) -> None:
        self._faults = faults
        self._where = where
        self._prefix = prefix
        self.given: dict[str, object] = {}
        if not isinstance(given, dict):
            self.fault("", f"is {_kind(given)}; allowed is an object with the fields {', '.join(known)}")
            # Further faults of a value that is not an object would be misleading: they are discarded.
            self._faults = []
            return
        # Go programs write an absent optional field as null.
        self.given = {name: value for name, value in given.items() if value is not None}
        for name in [name for name in given if name not in known][:MAX_FAULTS]:
            nearest = difflib.get_close_matches(clip(name, MAX_NAME), known, n=1)
            hint = f"did you mean {nearest[0]}?" if nearest else f"known are {', '.join(known)}"
            self.fault(clip(name, MAX_NAME), f"is not a known field; {hint}")

    def fault(self, name: str, problem: str) -> None:
        field = self._prefix + name
        self._faults.append(f"{self._where}: {field.removesuffix('.')}{': ' if field else ''}{problem}")

    def section(self, name: str, known: Sequence[str]) -> _Section | None:
        """Return the object in a field; None when it is absent."""
        if name not in self.given:
            return None
        return _Section(self._faults, self._where, f"{self._prefix}{name}.", self.given[name], known)

    def number(self, name: str, default: int) -> int:
        """Return a whole number in the range of Go's int32; 0 means the default, as in Kubernetes."""
        value = self.given.get(name, 0)
        if type(value) is not int or not 0 <= value <= MAX_INT32:
            self.fault(name, f"is {_shown(value)}; allowed is a whole number from 0 to {MAX_INT32}")
            return default
        return value or default

    def port(self) -> int:
        """Return a port: a number, or a string with a number (`IntOrString`)."""
        value = self.given.get("port")
        number = int(value) if isinstance(value, str) and PORT_NUMBER.fullmatch(value) else value
        if type(number) is int and 1 <= number <= MAX_PORT:
            return number
        found = "is missing" if value is None else f"is {_shown(value)}"
        hint = "; the name of a port cannot be resolved here: give its number" if isinstance(number, str) else ""
        self.fault("port", f"{found}; allowed is a number from 1 to {MAX_PORT}{hint}")
        return 1

    def text(self, name: str, default: str, allowed: Sequence[str] = ()) -> str:
        """Return a text that can be sent in a request; an empty one means the default."""
        value = self.given.get(name, "")
        if not isinstance(value, str) or UNSENDABLE.search(value) or (value and allowed and value not in allowed):
            choice = " or ".join(allowed) if allowed else "a text without control characters"
            self.fault(name, f"is {_shown(value)}; allowed is {choice}")
            return default
        return value or default

    def host(self, default: str) -> str:
        """Return a host name or an IP address."""
        value = self.text("host", default)
        if not HOST_NAME.fullmatch(value) and not _is_ipv6(value):
            self.fault("host", f"is {_shown(value)}; allowed is a host name or an IP address, without a port")
        return value

    def headers(self) -> list[tuple[str, str]]:
        """Return the header fields in order. Faults never quote a value: it may be a credential."""
        items = self.given.get("httpHeaders", [])
        if not isinstance(items, list):
            self.fault("httpHeaders", f"is {_kind(items)}; allowed is a list of objects with name and value")
            return []
        return [self._header(f"{self._prefix}httpHeaders[{index}]", item) for index, item in enumerate(items)]

    def _header(self, where: str, item: object) -> tuple[str, str]:
        header = _Section(self._faults, self._where, f"{where}.", item, HEADER_FIELDS)
        name, value = header.given.get("name", ""), header.given.get("value", "")
        if not isinstance(name, str) or not HEADER_NAME.fullmatch(name):
            header.fault(
                "name", "is no header name (not shown: it may hold a value); allowed are letters, digits, - and _"
            )
            return "", ""
        if not isinstance(value, str) or UNSENDABLE.search(value):
            found = "has control characters" if isinstance(value, str) else f"is {_kind(value)}"
            header.fault("value", f"of '{name}' {found}; allowed is a text without control characters")
            return "", ""
        return name, value


def _is_ipv6(value: str) -> bool:
    try:
        # A zone (`%eth0`) can hold any character, also one that ends the host in a URL.
        return ipaddress.IPv6Address(value).scope_id is None
    except ValueError:
        return False


def _kind(value: object) -> str:
    if value is None:
        return "null"
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    return kinds.get(type(value), "a number")


def _shown(value: object) -> str:
    return _kind(value) if isinstance(value, dict | list) else clip(json.dumps(value, ensure_ascii=False))
