"""Contract tests: what goes over the wire conforms to the published APIs."""
