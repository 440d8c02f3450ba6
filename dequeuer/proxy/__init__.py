"""Program: the realtime sidecar, a reverse proxy in front of one container."""
