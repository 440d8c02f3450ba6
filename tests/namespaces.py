"""Linux namespaces for tests: a process that is PID 1, or that has a network of its own."""

from __future__ import annotations

import shutil
import subprocess


def unshare(*kinds: str) -> list[str]:
    """Return the beginning of a command that runs the rest in new namespaces, and kills it when it is killed itself."""
    return ["unshare", *kinds, "--fork", "--kill-child"]


def why_not(*kinds: str) -> str:
    """Return why such namespaces cannot be created here; "" when they can."""
    if shutil.which("unshare") is None:
        return "unshare (util-linux) is not installed"
    tried = subprocess.run([*unshare(*kinds), "true"], capture_output=True, text=True, check=False, timeout=60)
    return "" if tried.returncode == 0 else f"no namespaces ({' '.join(kinds)}): {tried.stderr.strip()[:200]}"
