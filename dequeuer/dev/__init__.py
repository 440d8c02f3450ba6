"""`dequeuer dev`: SQS, S3, gateway, sidecar and container on one machine, without an AWS account."""
