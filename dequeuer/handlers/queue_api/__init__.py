"""Handles messages that others have sent to any SQS queue."""
