"""The async API: one request a message."""
