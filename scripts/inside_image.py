"""Checks that must run inside the finished image. `scripts/check-image` mounts this file and runs it."""

import ctypes
import http.server
import importlib
import importlib.util
import os
import pkgutil
import pwd
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

USER = 65532
SERVICES = ("s3", "signin", "sqs", "sso", "sso-oidc", "sts")


def faults() -> Iterator[str]:
    """Yield each fault of the image as one sentence."""
    if os.getuid() != USER or os.getgid() != USER:
        yield f"runs as {os.getuid()}:{os.getgid()} instead of {USER}:{USER}"
    for folder in ("/", "/tmp", "/opt/dequeuer"):  # noqa: S108 - the point is that it is not writable
        if os.access(folder, os.W_OK):
            yield f"{folder} is writable"
    for tool in ("pip", "pip3", "gcc", "cc", "make", "sh", "bash", "busybox", "apt-get", "dpkg", "curl", "wget"):
        if shutil.which(tool) or Path("/opt/dequeuer/bin", tool).exists():
            yield f"{tool} is in the image"
    for module in ("pip", "setuptools", "hatchling", "mypy", "moto", "ministack", "dequeuer.dev"):
        if importlib.util.find_spec(module):
            yield f"the package {module} is in the image"
    # Outside of the environment that runs the sidecar Python may have packages of its own.
    own_python = str(Path(sys.executable).resolve())
    pip = subprocess.run([own_python, "-m", "pip", "--version"], capture_output=True, check=False)  # noqa: S603
    if pip.returncode == 0:
        yield f"{own_python} -m pip works"
    yield from system()
    yield from clients()
    yield from modules()
    yield from serving()
    yield from page()
    exchange = importlib.import_module("dequeuer.proxy.exchange").__file__
    if exchange is None or not exchange.endswith(".so"):
        yield f"the modules of the realtime proxy are not compiled by mypyc: {exchange}"


def system() -> Iterator[str]:
    """Yield what Python expects of the system and does not find."""
    if pwd.getpwuid(USER).pw_name != "nonroot":
        yield f"user {USER} has no name"
    if not ssl.create_default_context().get_ca_certs():
        yield "no certificate authority is trusted"
    if socket.getaddrinfo("localhost", 80, family=socket.AF_INET)[0][4][0] != "127.0.0.1":
        yield "/etc/hosts is not asked for names"
    try:
        ctypes.CDLL("libgcc_s.so.1")
    except OSError as error:
        yield f"a thread that is cancelled would end the process: {error}"


class Backend(http.server.BaseHTTPRequestHandler):
    """A container whose every response is `served`."""

    def do_GET(self) -> None:
        """Respond."""
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"served")


def serving() -> Iterator[str]:
    """Yield what goes wrong when the realtime proxy serves a request and is stopped."""
    backend = http.server.ThreadingHTTPServer(("127.0.0.1", 8080), Backend)
    threading.Thread(target=backend.serve_forever, daemon=True).start()
    command = ["/dequeuer", "proxy", "--port=8888", "--user-port=8080", "--max-concurrency=8", "--max-queue-length=100"]
    environment = {**os.environ, "DEQUEUER_SHUTDOWN_DELAY": "0"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as proxy:  # noqa: S603
        log = iter(proxy.stdout or ())
        if not any(b'"container_ready"' in line for line in log):
            yield f"the proxy ended with status {proxy.wait()} before it was ready"
            return
        with urllib.request.urlopen("http://127.0.0.1:8888/a/path", timeout=30) as response:
            if response.read() != b"served":
                yield "the proxy has changed a response"
        proxy.terminate()
        lines = list(log)
    if proxy.returncode != 0:
        yield f"the proxy ended with status {proxy.returncode} after SIGTERM: {lines[-3:]}"


def page() -> Iterator[str]:
    """Yield files of the page that `dequeuer ui` does not find."""
    found = importlib.import_module("dequeuer.ui.static_files").load_static_files()
    for name in ("index.html", "login.html", "app.css", "app.js", "icon.svg"):
        if name not in found:
            yield f"the page lacks its file {name}"


def clients() -> Iterator[str]:
    """Yield services whose data was deleted although the credential chain may need it."""
    session = importlib.import_module("botocore.session").get_session()
    for service in SERVICES:
        try:
            session.create_client(service, region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")  # noqa: S106 - nothing is sent
        except Exception as error:  # noqa: BLE001 - any error is a fault of the image
            yield f"botocore cannot make a client of {service}: {error!r}"


def modules() -> Iterator[str]:
    """Yield modules of dequeuer that cannot be imported, and imported modules without a compiled file."""
    package = importlib.import_module("dequeuer")
    for found in pkgutil.walk_packages(package.__path__, "dequeuer."):
        if found.name != "dequeuer.__main__":
            try:
                importlib.import_module(found.name)
            except Exception as error:  # noqa: BLE001 - any error is a fault of the image
                yield f"{found.name} cannot be imported: {error!r}"
    for name, module in sorted(sys.modules.items()):
        cached = getattr(module, "__cached__", None)
        if cached and name != "__main__" and not Path(cached).is_file():
            yield f"{name} is not compiled: {cached} is missing"


def main() -> int:
    """Print the faults and return the exit status."""
    found = list(faults())
    for fault in found:
        sys.stdout.write(f"{fault}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
