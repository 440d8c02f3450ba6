"""Servers of SQS, S3 and a container with ready-made responses, so that only the client is measured."""
