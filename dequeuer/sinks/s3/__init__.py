"""S3 over the slim client."""
