"""What people and machines see: logs, metrics, the admin server."""
