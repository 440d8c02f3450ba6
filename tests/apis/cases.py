"""A valid file of each kind, and functions that parse texts."""

from __future__ import annotations

from textwrap import dedent

import pytest

from dequeuer.apis import Api, Apis, parse_apis
from dequeuer.core.errors import ConfigurationError


def _with_pod(name: str, kind: str, container: str = "") -> str:
    return f"""\
- name: {name}
  kind: {kind}
  pod:
    containers:
    - name: api
      image: registry.example/{name}:1
{container}"""


REALTIME = _with_pod("answer", "RealtimeAPI")
ASYNC = _with_pod("text", "AsyncAPI")
BATCH = _with_pod("sum", "BatchAPI", "      command: [python, main.py]\n")
TASK = _with_pod("train", "TaskAPI", "      command: [python, train.py]\n")
SPLITTER = """\
- name: split
  kind: TrafficSplitter
  apis:
  - {name: answer, weight: 100}
"""
KINDS = {
    "RealtimeAPI": REALTIME,
    "AsyncAPI": ASYNC,
    "BatchAPI": BATCH,
    "TaskAPI": TASK,
    "TrafficSplitter": SPLITTER,
}
FILE = "cortex.yaml"


def parse(text: str | bytes) -> Apis:
    """Parse a file."""
    data = text if isinstance(text, bytes) else dedent(text).encode()
    return parse_apis(data, FILE)


def only(text: str) -> Api:
    """Return the one API of a file."""
    (api,) = parse(text)
    return api


def faults(text: str | bytes) -> list[str]:
    """Return the faults of a file, without its name."""
    with pytest.raises(ConfigurationError) as caught:
        parse(text)
    assert all(fault.startswith(f"{FILE}:") for fault in caught.value.faults)
    return [fault.removeprefix(f"{FILE}:") for fault in caught.value.faults]


def fault(text: str | bytes) -> str:
    """Return the one fault of a file."""
    found = faults(text)
    assert len(found) == 1, found
    return found[0]
