"""The forms of what is part of the keys of a job, as regular expressions of the whole text."""

from __future__ import annotations

from typing import Final

API_NAME: Final = "[a-z](?:[a-z0-9-]{0,40}[a-z0-9])?"
"""A DNS label of RFC 1035, as in Cortex."""
JOB_ID: Final = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
VERSION: Final = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
