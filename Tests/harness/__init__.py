"""What drives the built program from outside: for the tests in Tests/EndToEnd, for the benchmark and for the demonstration."""
