"""A sidecar that processes the messages of an SQS queue with the container beside it."""

# A constant: reading it from the package's metadata would take longer than all imports of the command line.
__version__ = "0.1.0"
