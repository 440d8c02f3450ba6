"""Runs pods as the kubelet does, with local processes instead of containers: `node.py`, from the top.

What it does not do: security contexts, resources, read-only mounts and roots, and a PID namespace. A program without a handler of
SIGTERM ends, which it would not do as PID 1. A field that changes how a pod runs, and that is not known here, is an error.
"""
