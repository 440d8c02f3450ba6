"""The servers of these tests do not disturb each other."""

import os
import subprocess
import sys

from tests.integration import servers
from tests.integration.servers import free_port
from tests.integration.sidecar import ROOT


def test_a_port_for_a_server_is_none_that_an_outgoing_connection_can_be_given() -> None:
    ports = [free_port() for _ in range(100)]
    assert len(set(ports)) == len(ports)
    assert max(ports) < 32_768


def test_no_other_test_process_gets_a_port_before_a_server_listens_on_it() -> None:
    own = {free_port() for _ in range(50)}
    # The other process begins where this one did.
    takes = (
        "import itertools; from tests.integration import servers; servers._numbers = itertools.count(int({first}));"
        "print(*(servers.free_port() for _ in range(50)))"
    )
    other = subprocess.run(
        [sys.executable, "-c", takes.format(first=min(own) - servers.FIRST_PORT)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert own.isdisjoint(map(int, other.stdout.split()))
