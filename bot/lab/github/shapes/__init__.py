"""JSON as GitHub shapes it: pure functions from the lab's records to the answers of the REST API."""
