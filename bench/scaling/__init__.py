"""Autoscalers, simulated on a simple cluster in virtual time: what is compared in docs/scaling.md."""
