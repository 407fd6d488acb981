"""Tests of the policy parser and the gate templates."""
