"""S3 objects through the SDK's client: it knows every endpoint, ARN and proxy, at several times the CPU and memory."""
