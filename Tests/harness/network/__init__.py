"""The network between the worker and its services: servers and proxies on the loopback interface."""
