"""Clients of SQS and S3: which ones, for which region, partition and bucket."""
