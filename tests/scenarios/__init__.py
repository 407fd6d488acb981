"""Whole-loop scenarios."""
