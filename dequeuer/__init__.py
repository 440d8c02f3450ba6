"""A sidecar that works off an SQS queue for the container beside it."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("dequeuer")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0.0.0"
