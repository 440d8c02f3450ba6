"""AWS credentials as pods have them, fetched without the SDK: environment, web identity, container, IMDS."""
