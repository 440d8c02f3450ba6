"""The OpenAPI document: what the gateway serves, for programs that make clients of it."""
