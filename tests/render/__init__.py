"""Tests of what the bot writes for people and for Git."""
