"""Requests to the container, the web server beside the sidecar."""
