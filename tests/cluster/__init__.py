"""A real Kubernetes of one node for the tests: found, made, or told why there is none. See README.md."""
