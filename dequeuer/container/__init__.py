"""The web server beside the sidecar."""
