"""What the outside sees of the process: logs."""
