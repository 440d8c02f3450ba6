"""Creates the queues and the bucket of an API, or prints them and their policies as text."""
