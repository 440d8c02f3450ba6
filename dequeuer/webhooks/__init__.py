"""The program that delivers webhooks: from the outbox, which the sidecars fill, to the receivers."""
