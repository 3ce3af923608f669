"""AWS for the worker under test: the platform's resources in it, and a server that does what AWS does."""
