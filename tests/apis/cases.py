"""A valid file of each kind, and functions that parse texts."""

from __future__ import annotations

from textwrap import dedent

import pytest

from dequeuer.apis import Api, Apis, parse_apis
from dequeuer.core.errors import ConfigurationError

REALTIME = """\
- name: answer
  kind: RealtimeAPI
  pod:
    containers:
    - name: api
      image: registry.example/answer:1
"""
ASYNC = """\
- name: text
  kind: AsyncAPI
  pod:
    containers:
    - name: api
      image: registry.example/text:1
"""
BATCH = """\
- name: sum
  kind: BatchAPI
  pod:
    containers:
    - name: api
      image: registry.example/sum:1
      command: [python, main.py]
"""
TASK = """\
- name: train
  kind: TaskAPI
  pod:
    containers:
    - name: api
      image: registry.example/train:1
      command: [python, train.py]
"""
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
