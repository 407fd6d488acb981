"""Settings to running parts: the only place that picks real parts and ties them together."""
