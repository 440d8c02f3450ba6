"""A client of the API of Kubernetes, for a program that runs in a pod."""
