"""A server of SQS, S3 and a container whose answers are ready-made: what is measured is the client."""
