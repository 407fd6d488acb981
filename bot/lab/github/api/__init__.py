"""The REST endpoints, an area per module. Each module ends in its `ENDPOINTS`."""
