"""Alembic's folder: `env.py` is run by Alembic, `versions/` has one module for each change of the tables."""
