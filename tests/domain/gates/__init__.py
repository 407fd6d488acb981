"""Tests of the gate kinds, one module each."""
