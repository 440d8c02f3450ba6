"""Reaching AWS: with the SDK's clients, or with slim ones that make only the calls that messages need."""
