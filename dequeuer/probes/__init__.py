"""Whether the container is ready."""
