"""S3 over the slim client, and what both clients of S3 share."""
