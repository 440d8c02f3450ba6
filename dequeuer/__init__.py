"""A sidecar that works off an SQS queue for the container beside it."""

# Written here, not looked up: asking the package's metadata takes longer than all other imports of the command line.
__version__ = "0.1.0"
