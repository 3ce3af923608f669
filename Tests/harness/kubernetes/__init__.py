"""Kubernetes for the worker under test: an API server, and what looks after the worker's own pods."""
