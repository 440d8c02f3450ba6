"""The queue worker's program."""
