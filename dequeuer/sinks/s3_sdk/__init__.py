"""S3 over the SDK's client: supports all endpoints, ARNs and proxies, at several times the CPU and memory."""
