"""On which addresses the programs listen by default: real processes in a network namespace with only loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.namespaces import unshare, why_not
from tests.process.test_early_signals import ROOT, SETTINGS

NAMESPACE = ("--net", "--pid", "--mount-proc")
WHY_NOT = why_not(*NAMESPACE)
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "-")

# Runs in the namespace: enables loopback, sets kernel options, starts the process, connects over IPv4 and IPv6.
INSIDE = """
import http.client, json, os, signal, socket, subprocess, sys, time
port, path, switches, command = int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]), sys.argv[4:]
import fcntl, struct
with socket.socket() as s:
    fcntl.ioctl(s, 0x8914, struct.pack("16sh22x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
for name, value in switches.items():
    with open("/proc/sys/net/ipv6/" + name, "w") as file:
        file.write(value)
process = subprocess.Popen([sys.executable, "-m", "dequeuer", *command], stdout=subprocess.DEVNULL)
def ask(host):
    connection = http.client.HTTPConnection(host, port, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()
end = time.monotonic() + 60
while ask("127.0.0.1") is None and process.poll() is None and time.monotonic() < end:
    time.sleep(0.02)
print(json.dumps([ask("127.0.0.1"), ask("::1")]))
process.send_signal(signal.SIGTERM)
print(process.wait(60))
"""


@pytest.mark.parametrize(
    ("switches", "answers"),
    [
        ('{"bindv6only": "0"}', "[200, 200]"),
        ('{"bindv6only": "1"}', "[200, 200]"),
        ('{"conf/all/disable_ipv6": "1"}', "[200, null]"),
    ],
)
@pytest.mark.parametrize(
    ("command", "port", "path"), [((), 15000, "/livez"), (("gateway",), 8080, "/healthz")], ids=["sidecar", "gateway"]
)
def test_by_default_it_answers_on_every_address_there_is(
    tmp_path: Path, command: tuple[str, ...], port: int, path: str, switches: str, answers: str
) -> None:
    settings = {name: value for name, value in SETTINGS.items() if not name.endswith("_HOST")}
    inside = [sys.executable, "-c", INSIDE, str(port), path, switches, *command]
    done = subprocess.run(
        [*unshare(*NAMESPACE), *inside],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **settings, "DEQUEUER_SHUTDOWN_DELAY": "0"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.stdout.splitlines() == [answers, "0"], done.stderr
