"""Liftlock: decides, with evidence, when a release may move on, and takes it back when it should not have."""

__version__ = "0.1.0"
