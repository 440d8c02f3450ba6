"""Receives, holds, hands over and settles messages."""
