"""The embedded sandbox behind `liftlock demo`, `liftlock lab` and the end-to-end tests. Never part of a real run."""
