"""One module per gate kind; each judges observations against a policy value and returns a verdict."""
