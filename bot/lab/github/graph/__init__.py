"""The GraphQL API: one document in, one answer out. Shapes are dictionaries whose callables take arguments."""
