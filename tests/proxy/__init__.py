"""The realtime proxy."""
